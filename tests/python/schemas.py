"""The messages of hello.nrfcloud.com as JSON Schemas.

Transcribed by hand from section 3.4 of the contract, so that a mistake in fotalab's own schemas or
renderers is not repeated here. Additional properties are allowed unless the contract says otherwise.
"""

BASE = "https://github.com/hello-nrfcloud/proto/"

ISO = {
    "type": "string",
    "pattern": r"^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2}(?:.[0-9]*)?)"
    r"(([+-]([0-9]{2}):([0-9]{2})|Z)?)$",
}
TEXT = {"type": "string", "minLength": 1}
BUNDLE_ID = {
    "type": "string",
    "pattern": r"^(APP|MODEM|BOOT|SOFTDEVICE|BOOTLOADER|MDM_FULL)\*[0-9a-zA-Z]{8}\*.*$",
}


def message(context, required, optional=None):
    """An object with this `@context`."""
    properties = {"@context": {"const": BASE + context}, **required, **(optional or {})}
    return {
        "type": "object",
        "properties": properties,
        "required": ["@context", *required],
    }


UPGRADE_PATH = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": False,
    "patternProperties": {r"^(<|<=|>|>=)?[0-9]+.[0-9]+.[0-9]+$": BUNDLE_ID},
}

RESOURCE = {"anyOf": [TEXT, {"type": "number"}, {"type": "boolean"}]}
RESOURCES = {
    "type": "object",
    "additionalProperties": False,
    "patternProperties": {
        r"^[0-9]+$": {"anyOf": [RESOURCE, {"type": "array", "items": RESOURCE}]}
    },
}
OBJECT_IDS = [14201, 14202, 14203, 14204, 14205, 14210, 14220, 14230, 14240, 14250, 14301, 14401]
OBJECT_VERSION = {"type": "string", "pattern": r"^[0-9]+.[0-9]+$"}
INSTANCE = {"type": "integer", "minimum": 0}
OBJECT_INSTANCE = {
    "type": "object",
    "properties": {
        "ObjectID": {"enum": OBJECT_IDS},
        "ObjectVersion": OBJECT_VERSION,
        "ObjectInstanceID": INSTANCE,
        "Resources": RESOURCES,
    },
    "required": ["ObjectID", "Resources"],
}

JOB_EXECUTION = message(
    "fota/job-execution",
    {"id": TEXT, "deviceId": TEXT, "lastUpdatedAt": ISO, "status": TEXT, "version": TEXT},
    {"statusDetail": TEXT},
)
JOB_EXECUTIONS = message(
    "fota/job-executions",
    {"deviceId": TEXT, "jobs": {"type": "array", "items": JOB_EXECUTION}},
)
JOB = message(
    "fota/job",
    {
        "id": TEXT,
        "deviceId": TEXT,
        "upgradePath": UPGRADE_PATH,
        "timestamp": ISO,
        "status": {"enum": ["NEW", "IN_PROGRESS", "SUCCEEDED", "FAILED"]},
        "statusDetail": TEXT,
        "reportedVersion": TEXT,
    },
)
JOBS = message("fota/jobs", {"deviceId": TEXT, "jobs": {"type": "array", "items": JOB}})
BUNDLE = message("fota/bundle", {"bundleId": TEXT, "version": TEXT, "type": TEXT})
BUNDLES = message("fota/bundles", {"deviceId": TEXT, "bundles": {"type": "array", "items": BUNDLE}})
SHADOW = message(
    "shadow",
    {
        "reported": {"type": "array", "items": OBJECT_INSTANCE},
        "desired": {"type": "array", "items": OBJECT_INSTANCE},
    },
)
IDENTITY = message(
    "deviceIdentity",
    {"id": TEXT, "model": TEXT},
    {"lastSeen": ISO, "hideDataBefore": ISO},
)
HEALTH = message("api/health", {"version": TEXT})
PROBLEM = message(
    "ProblemDetail",
    {"title": {"type": "string"}, "status": {"enum": [200, 201, 202, 400, 403, 404, 409, 500]}},
    {"@id": {"type": "string"}, "type": {"type": "string"}, "detail": {"type": "string"}},
)

#: By what comes after BASE in a message's `@context`.
BY_CONTEXT = {
    schema["properties"]["@context"]["const"]: schema
    for schema in (
        JOB_EXECUTION, JOB_EXECUTIONS, JOB, JOBS, BUNDLE, BUNDLES, SHADOW, IDENTITY, HEALTH, PROBLEM,
    )
}
