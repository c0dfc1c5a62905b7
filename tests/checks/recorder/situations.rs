//! Situations in which a step waits in vain, and how the sentences begin that are said of them.

/// What was made to happen, the steps, and how the sentences begin that are said of it.
pub(super) const SITUATIONS: &[(&str, &str, &[&str])] = &[
    (
        "switched off again",
        "{DEVICE}{ON}When the device `meter-1` is switched off\n\n\
         Then within `10 min` the device `meter-1` should be registered\n",
        &["device meter-1 is switched off, and no step has switched it on again"],
    ),
    (
        "nobody has begun an update",
        "{DEVICE}{ON}Then within `2 min` the device `meter-1` should run `2.0.0`\n",
        &["device meter-1 is registered and listens, runs 1.0.0; no update of it has begun"],
    ),
    (
        "every datagram is lost",
        "{PUSH}{IMAGE}{ON}And the link of `meter-1` loses `100 %`\n\n{UPDATE}\
         Then within `1 min` the device `meter-1` should run `2.0.0`\n",
        &[
            "the server waits for device meter-1 to answer Read /3/0/3 since 00:00:00: sent 5 times, \
           last at 00:00:",
        ],
    ),
    (
        "its registration is gone, too",
        "{PUSH}{IMAGE}{ON}And the link of `meter-1` loses `100 %`\n\n{UPDATE}\
         Then within `1 h` the device `meter-1` should run `2.0.0`\n",
        &[
            "device meter-1 asks the server to register it since 00:",
            "the server's update of meter-1 is queued and waits for the device to register; it gives up at",
        ],
    ),
    (
        "the acknowledgement of a registration is lost",
        "{DEVICE}And the link of `meter-1` drops every message `-> ACK 2.01`\n\n\
         When the device `meter-1` is switched on\n\n\
         Then within `1 min` the device `meter-1` should be registered\n",
        &[
            "device meter-1 asks the server to register it since 00:00:00 and has no answer: sent 5 times, last at",
            "the server has a registration of device meter-1 all the same, until 00:",
        ],
    ),
    (
        "a key that nobody knows",
        "{DEVICE}```toml\nserver = \"${COAPSURL}\"\n\
         psk = { identity = \"stranger\", key = \"00112233445566778899aabbccddeeff\" }\n```\n\n\
         When the device `meter-1` is switched on\n\n\
         Then within `5 min` the device `meter-1` should be registered\n",
        &["device meter-1 and the server have exchanged "],
    ),
    (
        "a download that stands still",
        "{DEVICE}```toml\ndelivery = \"pull\"\nprotocols = [\"coap\"]\n```\n\n{IMAGE}\
         And the device `meter-1` has the fault `stalls at 50 %`\n\n{ON}{UPDATE}\
         Then within `10 min` the device `meter-1` should run `2.0.0`\n",
        &[
            "device meter-1 acts as it was told to: `stalls at 50 %`",
            "the transfer of /fw/",
            "the server's update of meter-1 is downloading and waits for the whole image to be there; it looks again at 00:10:00",
        ],
    ),
    (
        "a push over a slow link",
        "{PUSH}And there is a firmware image `new` with the version `2.0.0` and `200000` bytes\n\n{ON}\
         And the link of `meter-1` carries `200 bytes` a second\n\n{UPDATE}\
         Then within `5 min` the device `meter-1` should run `2.0.0`\n",
        &[
            "the server waits for device meter-1 to answer Write /5/0/0 since 00:04:",
            "/5/0/0 is on its way between the server and device meter-1: ",
        ],
    ),
    (
        "an image that rolls back",
        "{DEVICE}{IMAGE}And the device `meter-1` has the fault `rolls back`\n\n{ON}{UPDATE}\
         Then within `6 h` the device `meter-1` should run `2.0.0`\n",
        &[
            "device meter-1 acts as it was told to: `rolls back`",
            "the server gave up its update of meter-1: Result 8: firmware update failed",
        ],
    ),
    (
        "a push to a device that only pulls",
        "{DEVICE}```toml\ndelivery = \"pull\"\n```\n\n{IMAGE}{ON}\
         When the server updates `meter-1` to the image `new` by `push`\n\n\
         Then within `2 min` the device `meter-1` should run `2.0.0`\n",
        &["the server gave up its update of meter-1: the device pulls its images only"],
    ),
    (
        "the wrong fingerprint",
        "Given I have the fingerprint for a `PCA20065` device in `one`\n\n\
         And I have the fingerprint for a `PCA20065` device in `two`\n\n\
         When I `GET` `${APIURL}/device/${one_deviceId}/fota/jobs?fingerprint=${two}` retrying 3 times\n\n\
         Soon the status code of the last response should be `200`\n",
        &["the server answered GET /hello/job-executions/device/"],
    ),
    (
        "nothing of that name",
        "When I `GET` `${APIURL}/nothing/there` retrying 3 times\n\n\
         Soon the status code of the last response should be `200`\n",
        &[
            "the server answered GET /hello/job-executions/nothing/there with 404 5 times, and it says: Not Found",
        ],
    ),
    (
        "offline, and nobody asks for anything",
        "{DEVICE}{ON}When the device `meter-1` goes offline\n\n\
         Then within `2 min` the device `meter-1` should run `2.0.0`\n",
        &["device meter-1 is offline, and no step has brought it back online"],
    ),
    (
        "offline one way",
        "{PUSH}{IMAGE}{ON}When the device `meter-1` goes offline, but can still receive\n\n{UPDATE}\
         Then within `1 min` the device `meter-1` should run `2.0.0`\n",
        &[
            "what device meter-1 sends gets nowhere: a step took it offline, and it can still receive",
            "the server waits for device meter-1 to answer Read /3/0/3 since 00:00:00: sent 5 times, last at",
        ],
    ),
    (
        "the radio is off",
        "{DEVICE}{ON}When the device `meter-1` switches its radio off\n\n\
         Then within `2 min` the device `meter-1` should run `2.0.0`\n",
        &["device meter-1 has its radio off, and no step has switched that on again"],
    ),
    (
        "a restarted device that cannot register, between two tries",
        "{DEVICE}```toml\nlifetime = \"24 h\"\n```\n\n{ON}\
         Given the link of `meter-1` drops every message `<- CON POST /rd`\n\n\
         When the device `meter-1` loses power\n\nWhen time passes for `40 min`\n\n\
         Then within `20 s` the device `meter-1` should be registered\n",
        &[
            "device meter-1 asks the server to register it since 00:00:05 and has no answer: sent 45 times, last at 00:3",
            "the server has a registration of device meter-1 all the same, until 00:0",
        ],
    ),
    (
        "de-registered",
        "{DEVICE}{ON}When the device `meter-1` de-registers\n\n\
         Then within `1 min` the device `meter-1` should be registered\n",
        &["device meter-1 de-registered at 00:00:00, and has not registered since"],
    ),
    (
        "asleep earlier than the server thinks",
        "{DEVICE}```toml\nqueue-mode = true\nlifetime = \"1 h\"\nawake = \"20 s\"\n```\n\n{IMAGE}{ON}\
         When time passes for `40 s`\n\n{UPDATE}\
         Then within `30 s` the device `meter-1` should run `2.0.0`\n",
        &[
            "device meter-1 sleeps until 00:58:27 (queue mode; the server takes it for awake until 00:01:33); Read /3/0/3 was sent to it all the same",
            "the server's update of meter-1 is queued and waits for the device to hear Read /3/0/3",
        ],
    ),
    (
        "a block that is answered with a reset",
        "{PUSH}{IMAGE}And the device `meter-1` has the fault `rejects a block with a reset at 50 %, 100 times`\n\n\
         {ON}{UPDATE}Then within `20 s` the device `meter-1` should run `2.0.0`\n",
        &[
            "device meter-1 reset PUT /5/0/0 at 00:00:",
            "device meter-1 acts as it was told to: `rejects a block with a reset at 50 %`",
            "… bytes of /5/0/0 have crossed between the server and device meter-1, the last block at",
            "the server's update of meter-1 is downloading and waits for nothing but time: it asks again at",
        ],
    ),
    (
        "a fault with another number",
        "{PUSH}{IMAGE}And the device `meter-1` has the fault `stalls at 10 %`\n\n\
         {ON}{UPDATE}Then within `1 min` the device `meter-1` should run `2.0.0`\n",
        &[
            "the server waits for device meter-1 to answer Write /5/0/0 since 00:00:00: sent once; it was acknowledged",
            "device meter-1 acts as it was told to: `stalls at 10 %`",
        ],
    ),
    (
        "installing, and the acknowledgement of Execute was lost",
        "{PUSH}{IMAGE}And the device `meter-1` has the fault `loses the Execute acknowledgement`\n\n\
         {ON}{UPDATE}Then within `3 s` the device `meter-1` should run `2.0.0`\n",
        &[
            "device meter-1 installs its image, and is off until 00:00:0",
            "device meter-1 acts as it was told to: `loses the Execute acknowledgement`",
            "the server's update of meter-1 is downloaded and waits for the answer to Execute /5/0/2, which the device has heard: it installs",
        ],
    ),
    (
        "a link that flips bits",
        "{PUSH}{IMAGE}{ON}Given the link of `meter-1` corrupts `100 %`\n\n{UPDATE}\
         Then within `15 s` the device `meter-1` should run `2.0.0`\n",
        &[
            "the server waits for device meter-1 to answer Read /3/0/3 since 00:00:00: sent …, and damaged on the way each time",
        ],
    ),
    (
        "notifications that get lost",
        "{DEVICE}```toml\n[values]\n\"/3303/0/5700\" = 20.5\n```\n\n{ON}When I listen to what the server tells\n\n\
         And the server asks `meter-1` to `observe` `/3303/0/5700`\n\n\
         Given the link of `meter-1` drops every message `<- 2.05`\n\n\
         And `/3303/0/5700` of the device `meter-1` becomes `25`\n\n\
         Then within `30 s` the server should tell\n\n```json\n{ \"event\": \"notification\", \"path\": \"/3303/0/5700\" }\n```\n",
        &[
            "device meter-1 sends notifications of /3303/0/5700 since 00:00:00 in vain: sent 4 times, last at",
        ],
    ),
    (
        "another server than the one under test",
        "Given there is a CoAP peer `other`\n\n{DEVICE}```toml\nserver = \"${other}\"\n```\n\n\
         When the device `meter-1` is switched on\n\n\
         Then within `1 min` the device `meter-1` should be registered\n",
        &[
            "device meter-1 has 127.0.0.1:",
            "device meter-1 asks peer other to register it since 00:00:00 and has no answer: sent 5 times, last at",
        ],
    ),
    (
        "a message of a peer that nobody answers",
        "Given there is a CoAP peer `one`\n\nAnd there is a CoAP peer `two`\n\n\
         When the peer `one` sends to `${two}`\n\n```\nCON GET /x\n```\n\n\
         Then within `30 s` the peer `one` should receive\n\n```\nACK 2.05\n```\n",
        &["peer one has no answer to GET /x since 00:00:00: sent once"],
    ),
    (
        "a device that polls, and nothing is meant for it",
        "Given the `Authorization` header of the next request is `Bearer ${IOTAAPTOKEN}`\n\n\
         When I `POST` `${IOTAAPURL}/devices` with\n\n```json\n{ \"name\": \"pump\" }\n```\n\n\
         Then I store `_id` of the last response into `pump`\n\n\
         And I store `token` of the last response into `pump_token`\n\n\
         Given there is an IoTaaP device `pump` running `1.2.6`\n\n```toml\nlifetime = \"60 s\"\n\n[keys]\ndevice = \"${pump}\"\ntoken = \"${pump_token}\"\n```\n\n\
         When the device `pump` is switched on\n\n\
         Then within `5 min` the device `pump` should run `1.2.7`\n",
        &["device pump is on, runs 1.2.6 and polls over HTTP; it asks again at 00:06:00"],
    ),
    (
        "a message of a peer that another one answered",
        "Given there is a CoAP peer `one`\n\nAnd there is a CoAP peer `two`\n\n\
         And the peer `two` answers `CON GET /x` with\n\n```\nACK 2.05\n```\n\n\
         When the peer `one` sends to `${two}`\n\n```\nCON GET /x\n```\n\n\
         Then the peer `one` should receive\n\n```\nACK 2.05\n```\n\n\
         And within `30 s` the peer `one` should receive\n\n```\nCON GET /y\n```\n",
        &["peer one last sent something at 00:00:00, and no request is open"],
    ),
    (
        "too many of a fleet",
        "Given there are `20` devices `meter-{}` running `1.0.0`\n\n\
         When the devices `meter-1*` are switched on\n\n\
         Then within `1 min` `0` of the devices `meter-*` should be registered\n",
        &[
            "device meter-1 is registered and listens",
            "device meter-10 is registered and listens",
            "device meter-11 is registered and listens",
            "and 8 more devices that the step complains about; the other 9 are as it wants them",
        ],
    ),
    (
        "a fault that was changed since",
        "{PUSH}{IMAGE}And the device `meter-1` has the fault `stalls at 10 %`\n\n{ON}{UPDATE}\
         When time passes for `30 s`\n\nGiven the device `meter-1` has the fault `stalls at 80 %`\n\n\
         Then within `10 s` the device `meter-1` should run `2.0.0`\n",
        &[
            "the server waits for device meter-1 to answer Write /5/0/0 since 00:00:00: sent once; it was acknowledged",
            "device meter-1 acts as it was told to: `stalls at 10 %`",
        ],
    ),
    (
        "a websocket that is open, and another one that was refused",
        "Given I have the fingerprint for a `PCA20065` device in `fp`\n\n\
         And I connect to the websocket using fingerprint `${fp}`\n\n\
         Then the websocket should refuse the fingerprint `none` with status `400`\n\n\
         And I should receive a message on the websocket that matches after 2 retries\n\n```json\n{ \"a\": 1 }\n```\n",
        &["the server called the cloud with GET /v1/devices "],
    ),
    (
        "a de-registration that gets lost",
        "{PUSH}{IMAGE}{ON}And the link of `meter-1` drops every message `<- CON DELETE /rd/*`\n\n\
         When the device `meter-1` de-registers\n\nWhen time passes for `10 s`\n\n{UPDATE}\
         Then within `3 min` the device `meter-1` should run `2.0.0`\n",
        &[
            "device meter-1 asks the server to end its registration since 00:00:00 and has no answer: sent 5 times, …, and lost on the way each time",
            "the server has a registration of device meter-1 all the same, until 00:06:33",
            "the server's update of meter-1 is queued and waits for ",
        ],
    ),
    (
        "answers that take their time",
        "{PUSH}{IMAGE}{ON}And the link of `meter-1` delays by `30 s`\n\n{UPDATE}\
         Then within `50 s` the device `meter-1` should run `2.0.0`\n",
        &[
            "the server waits for device meter-1 to answer Read /3/0/3 since 00:00:00: sent 5 times, …; an answer is on its way",
        ],
    ),
    (
        "an image that a peer does not give",
        "Given there is a CoAP peer `files`\n\nAnd the peer `files` answers `CON GET /fw` with\n\n```\nACK 5.03\nMax-Age: 30\n```\n\n\
         {DEVICE}```toml\ndelivery = \"pull\"\nprotocols = [\"coap\"]\n```\n\n{ON}\
         When the server asks `meter-1` to `write` `/5/0/1` with\n\n```json\n{ \"value\": \"${files}/fw\" }\n```\n\n\
         Then within `3 min` the device `meter-1` should run `2.0.0`\n",
        &[
            "peer files answered GET /fw of device meter-1 with 5.03 at 00:00:00",
            "device meter-1 could not take the image: its Update Result (/5/0/5) is 4, connection lost",
        ],
    ),
    (
        "two devices with one endpoint name",
        "{DEVICE}And there is a device `twin` running `1.0.0`\n\n```toml\nendpoint = \"meter-1\"\n```\n\n{IMAGE}{ON}\
         When the device `twin` is switched on\n\nSoon the device `twin` should be registered\n\n\
         When the device `twin` is switched off\n\n{UPDATE}\
         Then within `1 min` the device `meter-1` should run `2.0.0`\n",
        &[
            "the server waits for device meter-1 to answer Read /3/0/3",
            "the server's registration of device meter-1 is at 127.64.0.2:49153, and the device last sent from 127.64.0.1:49153",
            "the server's update of meter-1 is queued and waits for the answer to Read /3/0/3",
        ],
    ),
    (
        "most of a fleet is well",
        "Given there are `20` devices `meter-{}` running `1.0.0`\n\n{IMAGE}\
         When the devices `meter-*` are switched on\n\nSoon all of the devices `meter-*` should be registered\n\n\
         Given the devices `meter-1*` are switched off\n\nWhen the server updates `meter-*` to the image `new`\n\n\
         Then within `5 min` `20` of the devices `meter-*` should run `2.0.0`\n",
        &[
            "device meter-1 is switched off",
            "the server's update of meter-1 is ",
            "device meter-10 is switched off",
            "the server's update of meter-10 is ",
            "device meter-11 is switched off",
            "the server's update of meter-11 is ",
            "and 8 more devices that the step complains about; the other 9 are as it wants them",
        ],
    ),
    (
        "no websocket",
        "Given I have the fingerprint for a `PCA20065` device in `fp`\n\n\
         Then I should receive a message on the websocket that matches after 5 retries\n\n```json\n{ \"a\": 1 }\n```\n",
        &["no websocket was opened, so nothing comes through one"],
    ),
    (
        "an answer that stays what it is",
        "Given I have the fingerprint for a `PCA20065` device in `fp`\n\n\
         When I `GET` `${APIURL}/device?fingerprint=${fp}` retrying 3 times\n\n\
         Soon the last response should match\n\n```json\n{ \"nobody\": \"says so\" }\n```\n",
        &[
            "the server answers GET /hello/job-executions/device with 200, asked 5 times, last at 00:00:",
        ],
    ),
];

/// The steps of a situation, its short forms written out.
pub(super) fn steps(pattern: &str) -> String {
    pattern
        .replace("{PUSH}", "{DEVICE}```toml\ndelivery = \"push\"\n```\n\n")
        .replace("{DEVICE}", DEVICE)
        .replace("{IMAGE}", IMAGE)
        .replace("{ON}", ON)
        .replace("{UPDATE}", UPDATE)
}

const IMAGE: &str =
    "And there is a firmware image `new` with the version `2.0.0` and `8192` bytes\n\n";
const ON: &str = "When the device `meter-1` is switched on\n\n\
    Soon the device `meter-1` should be registered\n\n";
const UPDATE: &str = "When the server updates `meter-1` to the image `new`\n\n";
pub(super) const DEVICE: &str = "Given there is a device `meter-1` running `1.0.0`\n\n";
