#!/usr/bin/env python3
"""AVSystem's own Python client, from the package index, through the whole firmware how-to, against
`fotalab serve` with `fotalab fleet` devices.

    python3 check_coiote.py path/to/fotalab
"""

import base64
import datetime
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import environment

environment.enter(["python-coiote==2.15.1"], ".venv-coiote")
for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
    os.environ.pop(name, None)
os.environ["NO_PROXY"] = "127.0.0.1,localhost"

from coiote.auth import Credentials, ServiceAccount  # noqa: E402
from coiote.client import Coiote  # noqa: E402
from coiote.v3.model.devices import Device, DeviceUpdateRequest  # noqa: E402
from coiote.v3.model.groups import Group  # noqa: E402
from coiote.v3.model.resources import (  # noqa: E402
    Base64FileData, DeviceDirectGroup, DownloadOptions, DownloadProtocol, InternalLocation, Resource,
    ResourceCategory, ResourceExpirationTime)
from coiote.v3.model.task_templates import TaskTemplateConfig, TaskTemplateInvocation  # noqa: E402
from coiote.v3.model.tasks import (  # noqa: E402
    ConfigurationTaskDefinition, ReadOperation, TransferMethod, TransferProtocol, UpgradeStrategy)

from lab import Results, until  # noqa: E402

FOTALAB = str(Path(sys.argv[1]).resolve())
GROUP = "root.mt.demo.api-test"
CONFIG = """
admin_token = "admin-of-the-check"
coiote_token = "token-of-the-check"

[accounts.default]
email = "user@x"
password = "p&w d"
service = { realm = "realm", id = "id/1", secret = "sec ret" }
"""
PERSONA = """
lifetime = "20 s"
protocols = ["coap", "http"]
reboot = "1 s"
"""
HOW_TO = [("resourceId", "{}"), ("transferProtocol", "HTTP"), ("transferMethod", "Pull"),
          ("transferProtocol", "HTTP"), ("timeout", "20m"), ("useQuota", "true"),
          ("upgradeStrategy", "WithoutObservations"), ("blocking", "true"),
          ("useCacheForInitialStateRead", "false"), ("checkDeliveryAndProtocol", "true"),
          ("resumeAfterDownlinkFailure", "false"), ("executeImmediately", "false")]
SUCCESS = "Firmware update successful"
results = Results()
check = results.check


def refused(act, *said):
    """Whether the client raises what the server said."""
    try:
        act()
    except ValueError as error:
        return all(it in str(error) for it in said)
    return False


def report(client, task, device, seconds=120):
    """The report of a task, once it has ended there."""
    end = time.monotonic() + seconds
    while True:
        try:
            return client.task_reports.get_report_for_device_task(task, device)
        except ValueError as error:
            if "4041" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(0.2)


def properties(told):
    return {it["name"]: it["value"] for it in told.properties}


def invocation(resource, without=()):
    parameters = [{"name": name, "value": value.format(resource)}
                  for name, value in HOW_TO if name not in without]
    config = TaskTemplateConfig(taskName="FOTA", parameters=parameters, isActive=True, properties={})
    return TaskTemplateInvocation(templateName="Lwm2mFirmwareUpdate", config=config)


def upload(client, name, data, **more):
    resource = Resource(id=name, name="demo-file-resource", location=InternalLocation.create("file-name"),
                        category=ResourceCategory.FIRMWARE, domain="/demo/",
                        expirationTime=ResourceExpirationTime.ONE_DAY, **more)
    check(f"the resource {name} has the id that it was given", client.resources.create_resource(resource) == name)
    answer = client.resources.upload_resource_data(name, Base64FileData(base64.b64encode(data)))
    check(f"{len(data)} bytes are uploaded to {name}", answer.status_code in (200, 204), answer)


def image(directory, version):
    path = directory / f"{version}.bin"
    made = [FOTALAB, "image", "--firmware", version, "--size", "30000", "--seed", "1", str(path)]
    subprocess.run(made, stdout=subprocess.DEVNULL, check=True)
    return path.read_bytes()


def who_asks(context, url):
    client = Coiote(url, auth=Credentials("user@x", "p&w d"))
    check("a password gets a token", client.tasks.get_all() == [])
    client = Coiote(url, auth=ServiceAccount("realm", "id/1", "sec ret"))
    check("a program gets a token", client.tasks.get_all() == [])
    check("a wrong token is refused", refused(Coiote(url, auth="wrong").tasks.get_all, "401", "4010"))
    check("a wrong password is refused", refused(Coiote(url, auth=Credentials("user@x", "no")).tasks.get_all, "401"))


def versions(client):
    def known():
        return client.devices.get_one("dev-0").softwareVersion == "1.0.0"

    check("the device entity has the version", until(known, 30))
    entity = client.devices.get_one("dev-0")
    check("it has times", isinstance(entity.lastRegisterTime, datetime.datetime))
    check("it has automatic groups", "root.mt.demo.lwm2m" in entity.directGroups, entity.directGroups)
    found = client.devices.get_by_endpoint_name("dev-3")
    check("a device is found by its endpoint name", found is not None and found.id == "dev-3", found)
    definition = ConfigurationTaskDefinition(
        name="api-demo-task", batchRequests=False, executeImmediately=False,
        operations=[ReadOperation.create("Device.0.Firmware Version")])
    task = client.tasks.run_device_config_task(device_id="dev-0", task_definition=definition)
    check("a task's id is a device's", task.startswith("d:") and task.endswith(":1"), task)
    check("it has not been executed yet", refused(
        lambda: client.task_reports.get_report_for_device_task(task, "dev-0"), "404", "'code': 4041"))
    told = report(client, task, "dev-0")
    check("the version is read when the device comes", properties(told)["Device.0.Firmware Version"] == "1.0.0", told)
    check("the report says so", told.status == "Success" and told.summary is None and told.blocking is False, told)
    last = json.loads(properties(told)["lastSuccessfulOperation"])
    check("it has the last operation", last == {"read": {"key": "Device.0.Firmware Version"}}, last)
    check("a device task can be summed up", client.task_reports.get_task_summary(task).successRate == 1)
    check("its values are cached", client.data_model.get_device_parameter(
        "dev-0", "Device.0.Firmware Version")[0].value == "1.0.0")
    again = client.tasks.run_device_config_task(device_id="dev-0", task_definition=definition)
    check("the same task again is the same task", again == task, again)
    shown = client.tasks.get_one(task)
    check("the task is shown", shown.config.taskName == "api-demo-task", shown)


def one_device(client, directory):
    upload(client, "demo-file-resource-id", image(directory, "2.0.0"), description="resource description",
           device="dev-0", directGroups=[DeviceDirectGroup.create("AVSystem", "modelName", "0.2")])
    url = client.resources.get_resource_download_url(
        "demo-file-resource-id", DownloadOptions(DownloadProtocol.HTTP)).address
    check("it can be downloaded", url.startswith("http://"), url)
    pull = client.tasks.run_device_fota_task(
        device_id="dev-0", firmware_resource_id="demo-file-resource-id",
        transfer_method=TransferMethod.Pull, transfer_protocol=TransferProtocol.HTTP, timeout="20m",
        use_quota=True, upgrade_strategy=UpgradeStrategy.WithoutObservations, blocking=True,
        use_cache_for_initial_state_read=False, check_delivery_and_protocol=True,
        resume_after_downlink_failure=False, extend_lifetime=True, use_observation=False,
        execute_immediately=False)
    push = client.tasks.run_device_fota_task(
        device_id="dev-1", firmware_resource_id="demo-file-resource-id",
        transfer_method=TransferMethod.Push, upgrade_strategy=UpgradeStrategy.ObservationBased,
        execute_immediately=True)
    for how, task, device in (("pull", pull, "dev-0"), ("push", push, "dev-1")):
        told = report(client, task, device)
        names = list(properties(told))
        expected = {"newFirmwareVersion": "2.0.0", "oldFirmwareVersion": "1.0.0", "result": "SUCCESS",
                    "resultDetails": SUCCESS}
        check(f"by {how} the device is upgraded", properties(told) == expected, told)
        check(f"by {how} the properties are in order", names == list(expected), names)
        check(f"by {how} the summary is the detail", told.summary == SUCCESS and told.status == "Success", told)
        check(f"by {how} the entity has the new version", client.devices.get_one(device).softwareVersion == "2.0.0")


def any_bytes(client):
    data = b"FW\x00\x01\xff\r\n" + hashlib.sha256(b"arbitrary").digest() * 100
    upload(client, "arbitrary", data)
    task = client.tasks.run_device_fota_task("dev-2", "arbitrary", transfer_method=TransferMethod.Push,
                                             upgrade_strategy=UpgradeStrategy.ObservationTrigger,
                                             execute_immediately=True)
    told = report(client, task, "dev-2")
    expected = hashlib.sha256(data).hexdigest()[:12]
    check("an image of any bytes arrives as it is", properties(told)["newFirmwareVersion"] == expected, told)


def errors(client):
    task = client.tasks.run_device_fota_task("dev-2", "arbitrary", transfer_protocol="FTP", execute_immediately=True)
    told = report(client, task, "dev-2")
    check("an unknown protocol is in the report", (told.status, told.summary, told.properties)
          == ("Error", "Unknown protocol: FTP", []), told)
    answer = client.task_templates.run_on_device(
        "dev-2", invocation("arbitrary", without=("transferProtocol",)), execute_immediately=True)
    check("a template on a device is taken", answer.status_code == 201, answer)
    told = report(client, answer.json(), "dev-2")
    check("a protocol that nobody gave is in the report",
          told.summary == "Unknown protocol: ${sv.transferProtocol}" and told.status == "Error", told)
    check("an unknown task is 4040", refused(
        lambda: client.task_reports.get_report_for_device_task("d:x:1", "dev-2"), "404", "'code': 4040"))
    check("an unknown device is 4040", refused(lambda: client.devices.get_one("nobody"), "404", "'code': 4040"))
    answer = client.domains.get_all()
    check("what is not implemented says so", (answer.status_code, answer.json()["code"]) == (501, 5010), answer)


def a_group(client):
    check("a group is made", isinstance(client.groups.add_group(Group(GROUP, "of the how-to")).result, str))
    for number in range(3, 6):
        answer = client.devices.update_one(f"dev-{number}", DeviceUpdateRequest(
            addGroups=[GROUP], blacklisted=False, managementEnabled=True))
        check(f"dev-{number} joins it", answer.status_code in (200, 204), answer)
    lossy = client.task_templates.run_on_group(GROUP, invocation("demo-file-resource-id"))
    check("the client's own group call is taken", (lossy.status_code, lossy.json()) == (201, f"g:{GROUP}:1"), lossy)
    client.sessions.start_for_device("dev-3")
    told = report(client, f"g:{GROUP}:1", "dev-3")
    check("its lost parameters are in the report", told.summary == "Unknown protocol: ${sv.transferProtocol}", told)
    answer = client.session.post(client.task_templates.get_url(f"/group/{GROUP}"),
                                 json=asdict(invocation("demo-file-resource-id")))
    task = answer.json()
    check("a group upgrade is made", (answer.status_code, task) == (201, f"g:{GROUP}:2"), answer)
    # While some have ended the rates are fractions, which the client's own type does not take.
    url = client.task_reports.get_url("/summary")

    def counted():
        counts = client.session.get(url, params={"taskId": task}).json()
        adds = (counts["completed"] + counts["notCompleted"] == counts["totalScheduled"] == 3
                and counts["successes"] + counts["failures"] == counts["completed"])
        if not adds:
            check("the summary adds up", False, counts)
        return counts["completed"] == 3

    check("the group ends", until(counted, 120))
    summary = client.task_reports.get_task_summary(task)
    expected = {"totalScheduled": 3, "inProgress": 0, "completed": 3, "successes": 3, "failures": 0,
                "notCompleted": 0, "completionRate": 1, "successRate": 1, "failureRate": 0}
    check("the summary is the how-to's", asdict(summary) == expected, summary)
    for number in range(3, 6):
        told = report(client, task, f"dev-{number}")
        check(f"dev-{number} has a report", properties(told)["newFirmwareVersion"] == "2.0.0", told)
    done = client.task_reports.get_reports("status eq 'Success'")
    check("reports are found", task in [it.taskId for it in done], done)
    cursor = client.task_reports.get_reports_cursor("status eq 'Success'")
    batch = client.task_reports.get_next_reports_batch(cursor, 2)
    check("reports are given batch by batch", len(batch.batch) == 2 and isinstance(batch.nextCursor, int), batch)
    check("a task is deleted", client.tasks.delete_one(task).status_code in (200, 204))
    check("it is gone", refused(lambda: client.tasks.get_one(task), "404", "4040"))


def made_devices(client):
    made = client.devices.create_one(Device(id="made", domain="/demo/", securityMode="nosec", directGroups=[GROUP]))
    check("a device is made", made.id == "made", made)
    check("it is shown", client.devices.get_one("made").properties["endpointName"] == "made")
    check("it is deleted", client.devices.delete_one("made").status_code in (200, 204))
    check("the group is deleted", client.groups.delete_one(GROUP).status_code in (200, 204))


def main():
    directory = Path(tempfile.mkdtemp())
    (directory / "config.toml").write_text(CONFIG)
    (directory / "persona.toml").write_text(PERSONA)
    server = subprocess.Popen([FOTALAB, "serve", "--coap", "127.0.0.1:0", "--data", str(directory / "data"),
                               "--config", str(directory / "config.toml")],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    fleet = None
    try:
        context = json.loads(server.stdout.readline())
        fleet = subprocess.Popen([FOTALAB, "fleet", "--server", context["COAPURL"], "--devices", "6",
                                  "--endpoint", "dev-{}", "--persona", str(directory / "persona.toml")],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        url = context["COIOTEURL"].removesuffix("/api/coiotedm/v3")
        who_asks(context, url)
        client = Coiote(url, auth=context["COIOTETOKEN"])
        found = {}

        def registered():
            devices = client.devices.get_device_details(fields=["id"])
            found["ids"] = sorted(it.id for it in devices.devices)
            return len(found["ids"]) == 6

        check("six devices are there", until(registered, 30), found)
        versions(client)
        one_device(client, directory)
        any_bytes(client)
        errors(client)
        a_group(client)
        made_devices(client)
    finally:
        if fleet:
            fleet.terminate()
            fleet.wait(timeout=20)
        server.terminate()
        said = server.communicate(timeout=20)[1]
        check("the server ends cleanly", server.returncode == 0, server.returncode)
        secrets = ["token-of-the-check", "admin-of-the-check", "p&w d", "sec ret"]
        check("it said no secret", not any(it in said for it in secrets), said)
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
