"""Service profiles and destinations by unmodified boto3."""

from __future__ import annotations

from tests.support.simulator.stage import SimulatorStage, refusal

MISSING = (404, "ResourceNotFoundException")


def test_a_service_profile_is_made_shown_listed_and_deleted(stage: SimulatorStage) -> None:
    made = stage.wireless.create_service_profile(Name="p", LoRaWAN={"AddGwMetadata": True})
    shown = stage.wireless.get_service_profile(Id=made["Id"])
    assert (shown["Name"], shown["Arn"], shown["LoRaWAN"]["AddGwMetadata"]) == ("p", made["Arn"], True)
    assert [p["Name"] for p in stage.wireless.list_service_profiles()["ServiceProfileList"]] == ["p"]
    stage.wireless.delete_service_profile(Id=made["Id"])
    assert refusal(stage.wireless.get_service_profile, Id=made["Id"])[:2] == MISSING


def test_a_destination_is_known_by_its_name(stage: SimulatorStage) -> None:
    given = {"Name": "d", "ExpressionType": "RuleName", "Expression": "r", "RoleArn": "arn:aws:iam::1:role/r"}
    made = stage.wireless.create_destination(**given)
    assert made["Arn"].endswith(":Destination/d")
    assert refusal(stage.wireless.create_destination, **given)[:2] == (409, "ConflictException")
    assert stage.wireless.get_destination(Name="d")["Expression"] == "r"
    assert [d["Name"] for d in stage.wireless.list_destinations()["DestinationList"]] == ["d"]
    stage.wireless.delete_destination(Name="d")
    assert refusal(stage.wireless.get_destination, Name="d")[:2] == MISSING
