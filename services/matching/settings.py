"""What a matching process needs from its environment."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.settings import ProcessSettings, SettingsFaults, setting
from services.matching.domain import policy
from services.matching.domain.policy import Wave


@dataclass(frozen=True, kw_only=True)
class Settings(ProcessSettings):
    """The waves here are those of immediate referrals; those of the others are in policy.v1.json."""

    wave_seconds: tuple[str, ...] = setting("KINDRED_WAVE_SECONDS", ("300", "300"))
    wave_sizes: tuple[str, ...] = setting("KINDRED_WAVE_SIZES", ("3", "5"))
    # The states whose specialists this process holds, and "elsewhere" for facilities nobody can place; none means all.
    regions: tuple[str, ...] = setting("KINDRED_REGIONS", ())
    # A JSON file with the names of hospitals, for the pages; who is not in it is called by its id.
    hospitals: str = setting("KINDRED_HOSPITALS", "")
    public_url: str = setting("KINDRED_PUBLIC_URL", "")
    # Where intake tells who leads, past the glass, who somebody is: host:port; "" for nowhere.
    intake_grpc: str = setting("KINDRED_INTAKE_GRPC", "")

    def __post_init__(self) -> None:
        self.immediate_ladder()

    def immediate_ladder(self) -> tuple[Wave, ...]:
        """The ladder of immediate referrals; raises SettingsFaults where the two lists do not fit together."""
        try:
            return policy.ladder([int(n) for n in self.wave_sizes], [int(n) for n in self.wave_seconds])
        except ValueError:
            wanted = "KINDRED_WAVE_SIZES and KINDRED_WAVE_SECONDS must be equally long lists of whole numbers from 1"
            raise SettingsFaults([wanted]) from None
