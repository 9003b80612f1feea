"""What the demo shows: steps as they are done, messages as they move, and what to try next."""

from typing import Final

from rich.console import Console
from rich.table import Table

from ulak.edge.demo.customer import Customer, Message

STATUS_STYLES: Final = {
    "pending": "yellow",
    "waiting": "cyan",
    "sent": "green",
    "not_sent": "red",
    "no_signal": "magenta",
}


def state_of(customer: Customer) -> Table:
    """Every message with the way it has gone, and the credit."""
    table = Table(caption=f"member credit: {customer.credit} USD", caption_justify="left")
    for name in ("to", "text", "its way", "refunded"):
        table.add_column(name)
    for line in customer.messages.values():
        table.add_row(line.to, line.text, _way(line), "yes" if line.refunded else "")
    return table


def _way(line: Message) -> str:
    return " → ".join(_styled(status) for _, status in line.moves)


def _styled(status: str) -> str:
    return f"[{STATUS_STYLES[status]}]{status}[/]"


def step(console: Console, text: str) -> None:
    """Something is done."""
    console.print(f"[green]✓[/] {text}", highlight=False)


def move(console: Console, line: Message) -> None:
    """A message has moved."""
    seconds, status = line.moves[-1]
    refunded = ", refunded" if line.refunded else ""
    console.print(f"  {seconds:5.2f} s  {line.to}  {_styled(status)}{refunded}", highlight=False)


def what_next(console: Console, told: dict[str, str]) -> None:
    """The key, two lines to type, and where everything is. Lines to be copied are never wrapped."""
    key = f"-H 'x-api-key: {told['key']}' -H 'x-org-id: {told['organizationId']}'"
    body = f'{{"to": "905550000003", "message": "Hello", "serviceId": "{told["serviceId"]}"}}'
    url = f"{told['url']}/v1/sms-sendings"
    lines = [
        "",
        "[bold]In your browser[/]",
        f"  {told['url']}/panel       {told['username']}, {told['password']}",
        f"  {told['url']}/operator    {told['operator']}, {told['operatorPassword']}",
        "",
        "[bold]Your key[/]",
        f"  {told['key']}",
        "",
        "[bold]Try[/]",
        f"  curl -s {url} {key} -H 'content-type: application/json' -d '{body}'",
        f"  curl -s {url} {key}",
        "",
        "[bold]Addresses[/]",
        f"  API         {told['url']}/v1",
        f"  reference   {told['url']}/docs",
        f"  metrics     {told['url']}/metrics",
        f"  carrier     {told['carrier']} (SMPP)",
        f"  commands    ULAK_DATA_DIR={told['dataDir']} {told['ulak']} --help",
        f"  logs        {told['logs']}",
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
