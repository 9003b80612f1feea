"""The paths of the Customer API, and what each method of them needs."""

from starlette.routing import Route

from ulak.edge.api.operations import Operations
from ulak.edge.api.resource import Action, Resource
from ulak.edge.rooms import Rooms
from ulak.rules.permission import Permission
from ulak.rules.scope import Scope


def routes(rooms: Rooms) -> list[Route]:
    """Every path under the base path."""
    does = Operations(rooms)
    send, read = Permission.SMS_SEND, Permission.SMS_READ
    sends, reads, account = Scope.SMS_SEND, Scope.SMS_READ, Scope.ACCOUNT_READ
    table = {
        "/users/me": {"GET": Action(does.me, account, in_context=False)},
        "/users/me/organizations": {"GET": Action(does.my_organizations, account, in_context=False)},
        "/services": {"GET": Action(does.services, account)},
        "/sms-sendings": {
            "GET": Action(does.list_sendings, reads, needs=read),
            "POST": Action(does.send_one, sends, needs=send),
        },
        "/sms-sendings/simple": {"POST": Action(does.send_same, sends, needs=send)},
        "/sms-sendings/advanced": {"POST": Action(does.send_each, sends, needs=send)},
        "/sms-sendings/{id}": {"GET": Action(does.list_messages, reads, needs=read)},
    }
    return [
        Route(rooms.config.base_path + path, Resource(path, rooms, **actions))
        for path, actions in table.items()
    ]
