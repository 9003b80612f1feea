"""The fuzz: everything that a stranger, a customer or an operator can send over HTTP, against a whole running Ulak.

`make fuzz SECONDS=900 SEED=11`. In: a seed and how long. Out: a table of what was asked, what was answered, and which
laws were broken. Three parts take turns: `described` (schemathesis makes up requests from the API's description),
`fields` (hostile values in every field, parameter and header of that description) and `pages` (in every form field and
address of the panel). The values are drawn by Hypothesis; nothing here shrinks or mutates by itself.
"""
