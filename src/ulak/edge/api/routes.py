"""The paths of the Customer API, and what each method of them needs."""

from starlette.routing import Route

from ulak.edge.api.operations import Operations
from ulak.edge.api.resource import Action, Resource
from ulak.edge.limits import Limiter
from ulak.edge.rooms import Rooms
from ulak.rules.permission import Permission


def routes(rooms: Rooms) -> list[Route]:
    """Every path under the base path."""
    does = Operations(rooms)
    send, read = Permission.SMS_SEND, Permission.SMS_READ
    table = {
        "/users/me": {"GET": Action(does.me, in_context=False)},
        "/users/me/organizations": {"GET": Action(does.my_organizations, in_context=False)},
        "/services": {"GET": Action(does.services)},
        "/sms-sendings": {
            "GET": Action(does.list_sendings, needs=read),
            "POST": Action(does.send_one, needs=send),
        },
        "/sms-sendings/simple": {"POST": Action(does.send_same, needs=send)},
        "/sms-sendings/advanced": {"POST": Action(does.send_each, needs=send)},
        "/sms-sendings/{id}": {"GET": Action(does.list_messages, needs=read)},
    }
    limiter = Limiter(rooms.config.rate_per_second)
    return [
        Route(rooms.config.base_path + path, Resource(path, rooms, limiter, **actions))
        for path, actions in table.items()
    ]
