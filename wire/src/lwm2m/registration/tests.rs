use super::*;

const OBJECTS: &[u8] = b"</1/0>,</3/0>,</5/0>";

fn register(query: &str, secured: Option<&str>) -> Result<Registration, String> {
    let query = query.split('&').filter(|item| !item.is_empty());
    let parsed = Registration::parse(query, Some(40), OBJECTS, secured, Version::V1_1);
    parsed.map_err(|refused| refused.to_string())
}

#[test]
fn what_is_not_there_has_its_default() {
    let registration = register("ep=a", None).unwrap();
    assert_eq!(registration.lifetime, 86_400);
    assert_eq!(registration.version, Version::V1_0);
    assert_eq!(registration.binding, Binding::default());
    assert!(!registration.queue);
}

#[test]
fn queue_mode_is_written_by_version() {
    assert!(register("ep=a&b=UQ", None).unwrap().queue);
    assert!(register("ep=a&lwm2m=1.1&b=U&Q", None).unwrap().queue);
    assert!(register("Q&lwm2m=1.1&ep=a", None).unwrap().queue);
    let mut registration = register(
        "ep=a&b=UQS&lt=60&sms=%2B1".replace("%2B", "+").as_str(),
        None,
    )
    .unwrap();
    assert_eq!(
        registration.query(),
        ["ep=a", "lt=60", "lwm2m=1.0", "b=UQS", "sms=+1"]
    );
    registration.version = Version::V1_1;
    assert_eq!(
        registration.query(),
        ["ep=a", "lt=60", "lwm2m=1.1", "b=US", "Q", "sms=+1"]
    );
}

#[test]
fn refusals_have_the_code_of_the_contract() {
    for (query, secured, message) in [
        ("", None, "4.00: parameter `ep`: it is missing"),
        ("ep=", None, "4.00: parameter `ep`: it is empty"),
        (
            "ep=a",
            Some("b"),
            "4.00: parameter `ep`: it does not belong to the security identity",
        ),
        ("lt=60", Some("b"), "4.00: parameter `ep`: it is missing"),
        ("ep=a&ep=a", None, "4.00: parameter `ep`: it is there twice"),
        (
            "ep=a&lwm2m=1.2",
            None,
            "4.12: LwM2M 1.2 is not spoken, 1.0 to 1.1 are",
        ),
        (
            "ep=a&lwm2m=9.9&b=?",
            None,
            "4.12: LwM2M 9.9 is not spoken, 1.0 to 1.1 are",
        ),
        (
            "ep=a&lwm2m=one",
            None,
            "4.00: parameter `lwm2m`: `one` is no version such as 1.1",
        ),
        (
            "ep=a&lt=0",
            None,
            "4.00: parameter `lt`: it is a number of seconds from 1 to 4294967295",
        ),
        (
            "ep=a&lt=-5",
            None,
            "4.00: parameter `lt`: it is a number of seconds from 1 to 4294967295",
        ),
        (
            "ep=a&lt=4294967296",
            None,
            "4.00: parameter `lt`: it is a number of seconds from 1 to 4294967295",
        ),
        (
            "ep=a&b=T",
            None,
            "4.00: parameter `b`: `T` is no binding of 1.0",
        ),
        (
            "ep=a&b=QU",
            None,
            "4.00: parameter `b`: `QU` is no binding of 1.0",
        ),
        (
            "ep=a&lwm2m=1.1&b=UQ",
            None,
            "4.00: parameter `b`: since 1.1 queue mode is a parameter of its own, `Q`",
        ),
        (
            "ep=a&lwm2m=1.1&b=UU",
            None,
            "4.00: parameter `b`: `U` is there twice",
        ),
        (
            "ep=a&Q",
            None,
            "4.00: parameter `Q`: in 1.0 queue mode is a letter of `b`",
        ),
        (
            "ep=a&sms=call-me",
            None,
            "4.00: parameter `sms`: it is no phone number",
        ),
    ] {
        assert_eq!(register(query, secured).unwrap_err(), message, "{query}");
    }
    let long = format!("ep={}", "a".repeat(256));
    assert!(
        register(&long, None)
            .unwrap_err()
            .contains("longer than 255 bytes")
    );
}

#[test]
fn a_secured_1_1_device_may_leave_its_name_out() {
    assert_eq!(register("lwm2m=1.1", Some("b")).unwrap().endpoint, "b");
    assert_eq!(register("ep=b&lwm2m=1.1", Some("b")).unwrap().endpoint, "b");
}

#[test]
fn parameters_nobody_knows_are_ignored() {
    assert!(register("ep=a&pid=3&x", None).is_ok());
}

#[test]
fn the_list_is_link_format() {
    let parsed = |format, payload: &[u8]| {
        Registration::parse(["ep=a"], format, payload, None, Version::V1_1)
            .map_err(|refused| refused.code)
    };
    assert!(parsed(None, OBJECTS).is_ok());
    assert_eq!(
        parsed(Some(0), OBJECTS),
        Err(Code::UNSUPPORTED_CONTENT_FORMAT)
    );
    assert_eq!(parsed(Some(40), b"</1/0"), Err(Code::BAD_REQUEST));
    assert_eq!(
        parsed(Some(40), &b"</1/0>,".repeat(10_000)),
        Err(Code::REQUEST_ENTITY_TOO_LARGE)
    );
}

#[test]
fn an_update_says_only_what_changes() {
    let parse = |query: &[&str], payload: &[u8], version| {
        Update::parse(query.iter().copied(), Some(40), payload, version)
    };
    assert_eq!(parse(&[], b"", Version::V1_0), Ok(Update::default()));
    let update = parse(&["lt=20", "b=UQ"], b"", Version::V1_0).unwrap();
    assert_eq!(update.query(Version::V1_0), ["lt=20", "b=UQ"]);
    let mut registration = register("ep=a", None).unwrap();
    registration.apply(update);
    assert_eq!((registration.lifetime, registration.queue), (20, true));
    assert_eq!(registration.objects.instances().count(), 3);
    registration.apply(parse(&[], b"</1/0>", Version::V1_0).unwrap());
    assert_eq!(registration.objects.instances().count(), 1);
    assert!(parse(&["ep=a"], b"", Version::V1_0).is_err());
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            endpoint in "[ -~]{1,40}", lifetime in 1_u32.., newer: bool, queue: bool, udp: bool, tcp: bool, sms: bool,
        ) {
            let version = if newer { Version::V1_1 } else { Version::V1_0 };
            let mut written = Registration::new(endpoint, version, ObjectList::parse(OBJECTS).unwrap());
            written.lifetime = lifetime;
            written.queue = queue;
            written.binding = Binding { udp: udp || !sms, tcp: tcp && newer, sms, non_ip: false };
            let query = written.query();
            let payload = written.objects.payload();
            let read = Registration::parse(query.iter().map(String::as_str), Some(40), &payload, None, Version::V1_1);
            prop_assert_eq!(read, Ok(written));
        }

        #[test]
        fn no_request_makes_it_panic(query in prop::collection::vec(".{0,20}", 0..6), payload: Vec<u8>) {
            let _ = Registration::parse(query.iter().map(String::as_str), None, &payload, None, Version::V1_1);
            let _ = Update::parse(query.iter().map(String::as_str), None, &payload, Version::V1_0);
        }
    }
}
