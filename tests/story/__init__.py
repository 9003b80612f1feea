"""Stories: whole installations living through what an operator and their customers live through."""
