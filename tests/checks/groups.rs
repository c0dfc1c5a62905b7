//! Groups run side by side and share nothing, though they use the same ids, paths and names.

use std::{fmt::Write as _, fs};

use crate::support::{directory, fotalab, long};

/// Features that run at once.
const FEATURES: usize = 200;

/// The same device, the same job, the same names; only the versions are this feature's own.
fn feature(number: usize) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        r#"---
exampleContext:
  version: 2.0.0
---

# The same device

## Ten steps

Given I store `"{number}.0.1"` into `version`

And the server knows the `nordic` account

And the `Authorization` header of the next request is `Bearer ${{ADMINTOKEN}}`

When I `PUT` `${{ADMINURL}}/devices/oob-350006660000001` with

```json
{{ "fingerprint": "92b.aaaaaa", "model": "PCA20065", "account": "nordic" }}
```

Then the JSONPath `$.model` of the last response should equal

```json
"PCA20065"
```

Given this nRF Cloud API request is queued for a `GET /v1/firmwares?pageLimit=100` request

```
HTTP/1.1 200 OK
Content-Type: application/json

{{"items":[{{"bundleId":"APP*1e29dfa3*v${{version}}","size":1,"version":"v${{version}}","type":"APP","filenames":["a"]}}],"total":1}}
```

When I `GET` `${{APIURL}}/device/oob-350006660000001/fota/bundles?fingerprint=92b.aaaaaa`

Then `$count($.bundles)` of the last response should match

```json
1
```

And `$.bundles[0].version` of the last response should match

```json
"v{number}.0.1"
```

And no queued nRF Cloud API response should be left
"#
    );
    text
}

#[test]
fn two_hundred_features_with_one_device_do_not_meet() {
    let directory = directory("groups");
    for number in 0..FEATURES {
        fs::write(
            directory.join(format!("{number:03}.feature.md")),
            feature(number),
        )
        .expect("it can be written");
    }
    let times = if long() { 10 } else { 2 };
    for clock in ["virtual", "real"] {
        for nth in 0..times {
            let ran = fotalab(
                &directory,
                &["run", ".", "--clock", clock, "--concurrency", "16"],
            );
            assert_eq!(ran.code, Some(0), "{clock} {nth}: {}{}", ran.out, ran.err);
            assert!(
                ran.out.contains("200 features, 200 scenarios: 200 passed"),
                "{}",
                ran.out
            );
        }
    }
}
