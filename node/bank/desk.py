"""The bank's own folder beside the chain: which accounts it holds, its token key, and its register.

bank.toml      the custody accounts
token.key      the key of the tokens; readable by its owner only, belongs into the backup
register.db    who paid from where, whose token is which account, what was sent (register.py)
"""

from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from chain.contract.call_base import Name
from chain.errors import ConfigError
from node.bank.register import Register
from node.bank.tokens import normalise
from node.files import PUBLIC_MODE, create_directory, create_file
from node.keys import create_secret, load_secret
from node.toml_fields import convert_list, load_toml

CONFIG_NAME: Final = "bank.toml"
KEY_NAME: Final = "token.key"
REGISTER_NAME: Final = "register.db"
Line = Annotated[str, Meta(min_length=1, max_length=140)]
_TEMPLATE: Final = """\
# The custody accounts that this bank holds: one table for each.
[[account]]
name = "care-main"          # its name on the chain (genesis)
plan = "care"
pool = 0
number = "6217000012345678" # as in the bank's files: IBAN or other number
holder = "Care Mutual Aid"  # whose name stands on payments
agent = "BANKCNBJ"          # BIC or clearing number of this bank
"""


class CustodyAccount(Struct, frozen=True, forbid_unknown_fields=True):
    """One custody account, on the chain and in the bank's files."""

    name: Name
    plan: Name
    pool: Annotated[int, Meta(ge=0, le=65_535)]
    number: Annotated[str, Meta(min_length=1, max_length=34)]
    holder: Line
    agent: Annotated[str, Meta(min_length=1, max_length=35)]


class Desk:
    """An opened folder."""

    def __init__(self, directory: Path) -> None:
        """Open the folder; raise `ConfigError` naming the file that is missing or wrong."""
        self.directory = directory
        self.accounts = _load_accounts(directory / CONFIG_NAME)
        self.key = load_secret(directory / KEY_NAME)
        self.register = Register(directory / REGISTER_NAME)

    def require_number(self, number: str) -> CustodyAccount:
        """Return the custody account with this number in the bank's files."""
        for account in self.accounts:
            if normalise(account.number) == normalise(number):
                return account
        raise ConfigError(field=CONFIG_NAME, reason=f"no account has the number {number}")

    def require_name(self, name: str) -> CustodyAccount:
        """Return the custody account with this name on the chain; the only one where no name is given."""
        found = [account for account in self.accounts if not name or account.name == name]
        if len(found) != 1:
            raise ConfigError(field=CONFIG_NAME, reason=f"{len(found)} accounts fit {name!r}: name one")
        return found[0]


def create_desk(directory: Path) -> None:
    """Make the folder with a new token key, an empty register and a configuration to fill in."""
    create_directory(directory)
    create_secret(directory / KEY_NAME)
    create_file(directory / CONFIG_NAME, _TEMPLATE.encode(), mode=PUBLIC_MODE)
    Register(directory / REGISTER_NAME).close()


def _load_accounts(path: Path) -> tuple[CustodyAccount, ...]:
    table = load_toml(path)
    unknown = sorted(set(table) - {"account"})
    if unknown:
        raise ConfigError(field=f"{path}: {unknown[0]}", reason="there is no such field")
    accounts = convert_list(table.get("account"), CustodyAccount, name="account")
    for field in ("name", "number"):
        values = [normalise(getattr(account, field)) for account in accounts]
        if not values or len(set(values)) < len(values):
            raise ConfigError(field=f"{path}: account.{field}", reason="must be there once for each account")
    return accounts
