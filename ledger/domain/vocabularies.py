"""Vocabularies of others that the crosswalk names: UPU EMSEVT V3, GS1 CBV 2.0, and four tracking services.

Tables are data. A word that is not here may not stand in the crosswalk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EMSEVT: Final = {
    "EMA": "posting or collection",
    "EMB": "arrival at outward office of exchange",
    "EXA": "presented to export customs or security",
    "EXB": "held by export customs or security",
    "EXC": "returned from export customs or security",
    "EXD": "held at outward office of exchange",
    "EXX": "export cancelled",
    "EMC": "departure from outward office of exchange",
    "EMJ": "arrival at transit office of exchange",
    "EMK": "departure from transit office of exchange",
    "EMD": "arrival at inward office of exchange",
    "EDA": "held at inward office of exchange",
    "EDB": "presented to import customs",
    "EME": "held by import customs",
    "EDC": "returned from import customs",
    "EDD": "into sorting centre",
    "EDE": "out of sorting centre",
    "EMF": "departure from inward office of exchange",
    "EDF": "held at delivery depot",
    "EMG": "arrival at delivery office",
    "EDG": "out for delivery",
    "EMH": "unsuccessful delivery attempt",
    "EDH": "at collection point",
    "EMI": "final delivery",
    "EDX": "import terminated",
}
"""UPU EMSEVT V3 item events."""

BIZ_STEPS: Final = frozenset(
    (
        "accepting", "arriving", "assembling", "collecting", "commissioning", "consigning", "creating_class_instance",
        "cycle_counting", "decommissioning", "departing", "destroying", "disassembling", "dispensing", "encoding",
        "entering_exiting", "holding", "inspecting", "installing", "killing", "loading", "other", "packing", "picking",
        "receiving", "removing", "repackaging", "repairing", "replacing", "reserving", "retail_selling", "sampling",
        "sensor_reporting", "shipping", "staging_outbound", "stock_taking", "stocking", "storing", "transporting",
        "unloading", "unpacking", "void_shipping",
    )
)  # fmt: skip
"""Business steps of CBV 2.0. None says that customs cleared: own steps begin with `OWN_STEP`."""
OWN_STEP: Final = "clearance:"

DISPOSITIONS: Final = frozenset(
    (
        "active", "available", "completeness_inferred", "completeness_verified", "conformant", "container_closed",
        "container_open", "damaged", "destroyed", "dispensed", "disposed", "encoded", "expired", "in_progress",
        "in_transit", "inactive", "mismatch_class", "mismatch_instance", "mismatch_quantity", "needs_replacement",
        "no_pedigree_match", "non_conformant", "non_sellable_other", "partially_dispensed", "recalled", "reserved",
        "retail_sold", "returned", "sellable_accessible", "sellable_not_accessible", "stolen", "unavailable", "unknown",
    )
)  # fmt: skip
"""Dispositions of CBV 2.0."""


@dataclass(frozen=True, slots=True)
class Tracking:
    """A status as tracking services call it, coarse.

    Attributes:
        seventeen_track: main status of 17TRACK, with the substatus where there is one.
        aftership: tag of AfterShip.
        easypost: status of EasyPost.
        shippo: status of Shippo.
        action_required: the buyer or the courier must do something before it goes on.
    """

    seventeen_track: str
    aftership: str
    easypost: str
    shippo: str
    action_required: bool = False


_MOVING: Final = ("InTransit", "in_transit", "TRANSIT")

TRACKING: Final = {
    "registered": Tracking("InfoReceived", "InfoReceived", "pre_transit", "PRE_TRANSIT"),
    "picked_up": Tracking("InTransit_PickedUp", *_MOVING),
    "departed": Tracking("InTransit_Departure", *_MOVING),
    "arrived": Tracking("InTransit_Arrival", *_MOVING),
    "moving": Tracking("InTransit_Other", *_MOVING),
    "customs_processing": Tracking("InTransit_CustomsProcessing", *_MOVING),
    "customs_question": Tracking(
        "InTransit_CustomsRequiringInformation", "Exception", "in_transit", "TRANSIT", action_required=True
    ),
    "customs_held": Tracking("DeliveryFailure_Security", "Exception", "failure", "FAILURE", action_required=True),
    "customs_released": Tracking("InTransit_CustomsReleased", *_MOVING),
    "out_for_delivery": Tracking("OutForDelivery", "OutForDelivery", "out_for_delivery", "TRANSIT"),
    "delivery_failed": Tracking("DeliveryFailure", "AttemptFail", "failure", "FAILURE", action_required=True),
    "for_pickup": Tracking(
        "AvailableForPickup", "AvailableForPickup", "available_for_pickup", "TRANSIT", action_required=True
    ),
    "delivered": Tracking("Delivered", "Delivered", "delivered", "DELIVERED"),
    "returned": Tracking("Exception_Returned", "Exception", "return_to_sender", "RETURNED"),
    "destroyed": Tracking("Exception_Destroyed", "Exception", "failure", "FAILURE"),
    "cancelled": Tracking("Exception_Cancel", "Exception", "cancelled", "FAILURE"),
}
"""Status to the words of four services. What only the ledger sees (checks, screening) has none."""
