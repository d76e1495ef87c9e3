"""Delete the passkeys and recovery codes of people who do not exist any more."""

from django.apps import apps
from django.db.models import Min

from mailadmin.accounts.backends import PRINCIPAL_BACKENDS
from mailadmin.accounts.factors.models import OwnedFactor, Passkey, RecoveryCode
from mailadmin.accounts.models import is_later_namesake
from mailadmin.db.bulk import chunks
from mailadmin.housekeeping import delete_in_batches
from mailadmin.names import fold


def purge_ownerless_factors() -> None:
    """Delete factors whose owner was deleted, even if there is a later person of that name."""
    for factors in (Passkey, RecoveryCode):
        for backend in PRINCIPAL_BACKENDS:
            purge_factors_of(factors, backend.model_name)


def purge_factors_of(factors: type[OwnedFactor], model_name: str) -> None:
    rows = factors.objects.filter(owner_model=model_name)
    oldest = rows.order_by("owner_key").values_list("owner_key").annotate(Min("created"))
    owners = apps.get_model(model_name)._base_manager
    for part in chunks(oldest):
        found = owners.filter(pk__in=[key for key, _created in part]).only("pk", "created")
        people = {fold(each.pk): each for each in found}
        for key, created in part:
            owner = people.get(fold(key))
            if owner is None:
                delete_in_batches(rows.filter(owner_key=key))
            elif is_later_namesake(owner, created):
                delete_in_batches(rows.filter(owner_key=key, created__lt=owner.created))
