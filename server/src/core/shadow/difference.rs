//! What changed from one shadow to the next (contract 3.5, change detection).

use serde_json::Value;

use super::{Objects, Resources, Shadow, TIME};

/// The changed resources of `new`, each with its instance's time; `None` if nothing changed.
///
/// A time that moved alone is no change, and what disappeared is not told.
pub(crate) fn difference(old: &Shadow, new: &Shadow) -> Option<Shadow> {
    let changed = Shadow {
        reported: changed(&old.reported, &new.reported),
        desired: changed(&old.desired, &new.desired),
    };
    (!changed.reported.is_empty() || !changed.desired.is_empty()).then_some(changed)
}

/// Times never go down: an instance of `new` keeps the later of both.
pub(crate) fn keep_newer_times(old: &Shadow, new: &mut Shadow) {
    for (old, new) in [
        (&old.reported, &mut new.reported),
        (&old.desired, &mut new.desired),
    ] {
        for (key, instances) in new {
            for (instance, resources) in instances {
                let before = old
                    .get(key)
                    .and_then(|it| it.get(instance))
                    .and_then(|it| it.get(&TIME));
                let now = resources.get(&TIME).and_then(Value::as_f64);
                if let Some(before) = before
                    && before.as_f64() > now
                    && now.is_some()
                {
                    resources.insert(TIME, before.clone());
                }
            }
        }
    }
}

fn changed(old: &Objects, new: &Objects) -> Objects {
    let mut changed = Objects::new();
    for (key, instances) in new {
        for (instance, resources) in instances {
            let before = old.get(key).and_then(|it| it.get(instance));
            let mut part: Resources = resources
                .iter()
                .filter(|(id, value)| {
                    **id != TIME && before.and_then(|it| it.get(*id)) != Some(*value)
                })
                .map(|(id, value)| (*id, value.clone()))
                .collect();
            if part.is_empty() {
                continue;
            }
            if let Some(at) = resources.get(&TIME) {
                part.insert(TIME, at.clone());
            }
            changed
                .entry(key.clone())
                .or_default()
                .insert(*instance, part);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn shadow(resources: &[(u32, Value)]) -> Shadow {
        let resources = resources.iter().cloned().collect();
        let key = (14204, "1.0".to_owned());
        let reported = Objects::from([(key, BTreeMap::from([(0, resources)]))]);
        Shadow {
            reported,
            desired: Objects::new(),
        }
    }

    #[test]
    fn the_first_shadow_is_all_new() {
        let new = shadow(&[(3, json!("2.0.0")), (TIME, json!(20))]);
        assert_eq!(difference(&Shadow::default(), &new), Some(new));
    }

    #[test]
    fn only_what_changed_is_told_with_its_time() {
        let old = shadow(&[(0, json!("imei")), (3, json!("2.0.0")), (TIME, json!(20))]);
        let new = shadow(&[(0, json!("imei")), (3, json!("2.0.1")), (TIME, json!(30))]);
        let told = shadow(&[(3, json!("2.0.1")), (TIME, json!(30))]);
        assert_eq!(difference(&old, &new), Some(told));
    }

    #[test]
    fn a_new_time_alone_is_no_change() {
        let old = shadow(&[(3, json!("2.0.0")), (TIME, json!(20))]);
        let new = shadow(&[(3, json!("2.0.0")), (TIME, json!(30))]);
        assert_eq!(difference(&old, &new), None);
        assert_eq!(
            difference(&new, &Shadow::default()),
            None,
            "what is gone is not told"
        );
    }

    #[test]
    fn times_never_go_down() {
        let old = shadow(&[(3, json!("2.0.0")), (TIME, json!(30))]);
        let mut new = shadow(&[(3, json!("2.0.1")), (TIME, json!(20))]);
        keep_newer_times(&old, &mut new);
        assert_eq!(new, shadow(&[(3, json!("2.0.1")), (TIME, json!(30))]));
    }
}
