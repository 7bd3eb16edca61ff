"""Carries out the IAM types of the program by boto3: roles, their inline policies, OIDC providers."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from tests.support.pulumi.provider.cloud import Cloud, Properties
from tests.support.pulumi.provider.kind import Kind, aws_tags, missing, plain_tags


class Role(Kind):
    """A role; IAM refuses to delete one that has inline policies."""

    replaces, named, tagged = frozenset({"name", "namePrefix", "path"}), "name", True
    computed, documents = ("arn", "uniqueId", "createDate"), ("assumeRolePolicy",)
    defaults: ClassVar[dict[str, object]] = {"maxSessionDuration": 3600, "path": "/"}

    def create(self, cloud: Cloud, given: Properties) -> str:
        optional: dict[str, Any] = {"Description": given["description"]} if "description" in given else {}
        if "maxSessionDuration" in given:
            optional["MaxSessionDuration"] = int(given["maxSessionDuration"])
        if tags := self.all_tags(cloud, given):
            optional["Tags"] = aws_tags(tags)
        name, trust = str(given["name"]), given["assumeRolePolicy"]
        cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **optional)
        return name

    def read(self, cloud: Cloud, identifier: str) -> Properties | None:
        try:
            shown = cloud.iam.get_role(RoleName=identifier)["Role"]
        except ClientError as error:
            if missing(error) or error.response["Error"]["Code"] == "NoSuchEntity":
                return None
            raise
        optional = {"description": shown["Description"]} if shown.get("Description") else {}
        return {
            "name": shown["RoleName"],
            "path": shown["Path"],
            "arn": shown["Arn"],
            "uniqueId": shown["RoleId"],
            "createDate": shown["CreateDate"].isoformat(),
            "assumeRolePolicy": json.dumps(shown["AssumeRolePolicyDocument"]),
            "maxSessionDuration": shown["MaxSessionDuration"],
            **optional,
            **plain_tags(cloud, shown.get("Tags", [])),
        }

    def update(self, cloud: Cloud, identifier: str, olds: Properties, news: Properties) -> None:
        cloud.iam.update_assume_role_policy(RoleName=identifier, PolicyDocument=news["assumeRolePolicy"])
        duration = int(news.get("maxSessionDuration", 3600))
        cloud.iam.update_role(RoleName=identifier, Description=news.get("description", ""), MaxSessionDuration=duration)
        before, after = olds.get("tagsAll", {}), self.all_tags(cloud, news)
        if gone := sorted(set(before) - set(after)):
            cloud.iam.untag_role(RoleName=identifier, TagKeys=gone)
        if after:
            cloud.iam.tag_role(RoleName=identifier, Tags=aws_tags(after))

    def delete(self, cloud: Cloud, identifier: str, state: Properties) -> None:
        try:
            cloud.iam.delete_role(RoleName=identifier)
        except ClientError as error:
            if not missing(error):
                raise


class RolePolicy(Kind):
    """An inline policy; its id is `role:name`."""

    replaces, named, documents = frozenset({"name", "namePrefix", "role"}), "name", ("policy",)

    def create(self, cloud: Cloud, given: Properties) -> str:
        self._put(cloud, given["role"], given["name"], given["policy"])
        return f"{given['role']}:{given['name']}"

    def read(self, cloud: Cloud, identifier: str) -> Properties | None:
        role, _, name = identifier.partition(":")
        try:
            shown = cloud.iam.get_role_policy(RoleName=role, PolicyName=name)
        except ClientError as error:
            if missing(error):
                return None
            raise
        return {"role": role, "name": name, "policy": json.dumps(shown["PolicyDocument"])}

    def update(self, cloud: Cloud, identifier: str, olds: Properties, news: Properties) -> None:
        role, _, name = identifier.partition(":")
        self._put(cloud, role, name, news["policy"])

    def delete(self, cloud: Cloud, identifier: str, state: Properties) -> None:
        role, _, name = identifier.partition(":")
        try:
            cloud.iam.delete_role_policy(RoleName=role, PolicyName=name)
        except ClientError as error:
            if not missing(error):
                raise

    def _put(self, cloud: Cloud, role: str, name: str, policy: str) -> None:
        cloud.iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=policy)


class OpenIdConnectProvider(Kind):
    """An OIDC provider; its id is its ARN. The account has one for a URL."""

    replaces, named, tagged, computed = frozenset({"url"}), "url", True, ("arn",)

    def create(self, cloud: Cloud, given: Properties) -> str:
        optional = {"Tags": aws_tags(tags)} if (tags := self.all_tags(cloud, given)) else {}
        clients = given["clientIdLists"]
        shown = cloud.iam.create_open_id_connect_provider(Url=given["url"], ClientIDList=clients, **optional)
        return str(shown["OpenIDConnectProviderArn"])

    def read(self, cloud: Cloud, identifier: str) -> Properties | None:
        try:
            shown = cloud.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=identifier)
        except ClientError as error:
            if missing(error):
                return None
            raise
        url = shown["Url"] if shown["Url"].startswith("https://") else f"https://{shown['Url']}"
        found = {"arn": identifier, "url": url, "clientIdLists": sorted(shown["ClientIDList"])}
        return {**found, **plain_tags(cloud, shown.get("Tags", []))}

    def update(self, cloud: Cloud, identifier: str, olds: Properties, news: Properties) -> None:
        before, after = set(olds.get("clientIdLists", [])), set(news["clientIdLists"])
        for client in sorted(after - before):
            cloud.iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=identifier, ClientID=client)
        for client in sorted(before - after):
            cloud.iam.remove_client_id_from_open_id_connect_provider(
                OpenIDConnectProviderArn=identifier, ClientID=client
            )
        if tags := self.all_tags(cloud, news):
            cloud.iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=identifier, Tags=aws_tags(tags))

    def delete(self, cloud: Cloud, identifier: str, state: Properties) -> None:
        cloud.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=identifier)


KINDS: dict[str, Kind] = {
    "aws:iam/role:Role": Role(),
    "aws:iam/rolePolicy:RolePolicy": RolePolicy(),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": OpenIdConnectProvider(),
}
