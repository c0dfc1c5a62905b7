//! What a device holds, or what one message says of it: objects, instances, resources.

use std::collections::BTreeMap;

use super::path::Path;
use super::value::Value;

/// A resource: one value, or numbered instances of it (maybe none).
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    /// One value.
    Single(Value),
    /// Values by resource instance id.
    Multiple(BTreeMap<u16, Value>),
}

/// Resources of an object instance by id.
pub type Instance = BTreeMap<u16, Resource>;

/// Instances of an object by id.
pub type Object = BTreeMap<u16, Instance>;

/// Objects by id. A message about one resource is a tree with one resource in it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Tree {
    objects: BTreeMap<u16, Object>,
}

impl Tree {
    /// Nothing at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree with one value, as by [`Tree::set`].
    #[must_use]
    pub fn of(path: Path, value: Value) -> Self {
        let mut tree = Self::new();
        tree.set(path, value);
        tree
    }

    /// The objects, by id.
    #[must_use]
    pub fn objects(&self) -> &BTreeMap<u16, Object> {
        &self.objects
    }

    /// An object.
    #[must_use]
    pub fn object(&self, object: u16) -> Option<&Object> {
        self.objects.get(&object)
    }

    /// An object instance.
    #[must_use]
    pub fn instance(&self, object: u16, instance: u16) -> Option<&Instance> {
        self.objects.get(&object)?.get(&instance)
    }

    /// The resource at a path of three or four ids.
    #[must_use]
    pub fn resource(&self, path: Path) -> Option<&Resource> {
        let [object, instance, resource, ..] = *path.ids() else {
            return None;
        };
        self.instance(object, instance)?.get(&resource)
    }

    /// The value at a resource (single) or resource instance path.
    #[must_use]
    pub fn value(&self, path: Path) -> Option<&Value> {
        match (self.resource(path)?, path.ids()) {
            (Resource::Single(value), [_, _, _]) => Some(value),
            (Resource::Multiple(values), [_, _, _, id]) => values.get(id),
            _ => None,
        }
    }

    /// Whether there is something at the path, be it an empty object.
    #[must_use]
    pub fn contains(&self, path: Path) -> bool {
        match *path.ids() {
            [] => true,
            [object] => self.objects.contains_key(&object),
            [object, instance] => self.instance(object, instance).is_some(),
            [_, _, _] => self.resource(path).is_some(),
            _ => self.value(path).is_some(),
        }
    }

    /// Sets a value: at three ids a single resource, at four an instance of a multiple one.
    /// What was there as the other kind is replaced. False, and nothing done, for shorter paths.
    pub fn set(&mut self, path: Path, value: Value) -> bool {
        match *path.ids() {
            [object, instance, resource] => {
                self.make_instance(object, instance)
                    .insert(resource, Resource::Single(value));
            }
            [object, instance, resource, id] => {
                let entry = self
                    .make_instance(object, instance)
                    .entry(resource)
                    .or_insert_with(|| Resource::Multiple(BTreeMap::new()));
                if let Resource::Multiple(values) = entry {
                    values.insert(id, value);
                } else {
                    *entry = Resource::Multiple(BTreeMap::from([(id, value)]));
                }
            }
            _ => return false,
        }
        true
    }

    /// Makes the object, instance or multiple resource exist, empty if it is new.
    pub fn touch(&mut self, path: Path) {
        match *path.ids() {
            [] => {}
            [object] => {
                self.objects.entry(object).or_default();
            }
            [object, instance] => {
                self.make_instance(object, instance);
            }
            [object, instance, resource, ..] => {
                self.make_instance(object, instance)
                    .entry(resource)
                    .or_insert_with(|| Resource::Multiple(BTreeMap::new()));
            }
        }
    }

    /// Puts a whole resource in its place.
    pub fn set_resource(&mut self, object: u16, instance: u16, id: u16, resource: Resource) {
        self.make_instance(object, instance).insert(id, resource);
    }

    /// Removes what is at the path and below; whether there was something.
    pub fn remove(&mut self, path: Path) -> bool {
        match *path.ids() {
            [] => !std::mem::take(&mut self.objects).is_empty(),
            [object] => self.objects.remove(&object).is_some(),
            [object, instance] => self
                .objects
                .get_mut(&object)
                .is_some_and(|instances| instances.remove(&instance).is_some()),
            [object, instance, resource, ref id @ ..] => {
                let resources = self
                    .objects
                    .get_mut(&object)
                    .and_then(|instances| instances.get_mut(&instance));
                match (resources, id) {
                    (None, _) => false,
                    (Some(resources), [id]) => match resources.get_mut(&resource) {
                        Some(Resource::Multiple(values)) => values.remove(id).is_some(),
                        _ => false,
                    },
                    (Some(resources), _) => resources.remove(&resource).is_some(),
                }
            }
        }
    }

    /// Only what is at the path or below.
    #[must_use]
    pub fn under(&self, path: Path) -> Self {
        let mut tree = Self::new();
        match *path.ids() {
            [] => return self.clone(),
            [object] => {
                if let Some(instances) = self.object(object) {
                    tree.objects.insert(object, instances.clone());
                }
            }
            [object, instance] => {
                if let Some(resources) = self.instance(object, instance) {
                    *tree.make_instance(object, instance) = resources.clone();
                }
            }
            [object, instance, resource] => {
                if let Some(found) = self.resource(path) {
                    tree.set_resource(object, instance, resource, found.clone());
                }
            }
            _ => {
                if let Some(value) = self.value(path) {
                    tree.set(path, value.clone());
                }
            }
        }
        tree
    }

    /// Takes in another tree, resource by resource; its values win, resource instances are kept.
    pub fn merge(&mut self, other: Self) {
        for (object, instances) in other.objects {
            self.touch(Path::object(object));
            for (instance, resources) in instances {
                let mine = self.make_instance(object, instance);
                for (id, resource) in resources {
                    match (mine.get_mut(&id), resource) {
                        (Some(Resource::Multiple(old)), Resource::Multiple(new)) => old.extend(new),
                        (_, resource) => {
                            mine.insert(id, resource);
                        }
                    }
                }
            }
        }
    }

    /// All values with their paths, in order.
    pub fn values(&self) -> impl Iterator<Item = (Path, &Value)> {
        self.resources().flat_map(|(path, resource)| {
            let (single, multiple) = match resource {
                Resource::Single(value) => (Some((path, value)), None),
                Resource::Multiple(values) => (None, Some(values)),
            };
            let instances = multiple.into_iter().flatten();
            single
                .into_iter()
                .chain(instances.filter_map(move |(id, value)| Some((path.child(*id)?, value))))
        })
    }

    /// All resources with their paths, in order.
    pub fn resources(&self) -> impl Iterator<Item = (Path, &Resource)> {
        self.objects.iter().flat_map(|(object, instances)| {
            instances.iter().flat_map(move |(instance, resources)| {
                resources
                    .iter()
                    .map(move |(id, resource)| (Path::resource(*object, *instance, *id), resource))
            })
        })
    }

    fn make_instance(&mut self, object: u16, instance: u16) -> &mut Instance {
        self.objects
            .entry(object)
            .or_default()
            .entry(instance)
            .or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        text.parse().unwrap()
    }

    #[test]
    fn values_are_found_by_path_and_walked_in_order() {
        let mut tree = Tree::new();
        tree.set(path("/5/0/3"), Value::Integer(1));
        tree.set(path("/3/0/6/1"), Value::Integer(5));
        tree.set(path("/3/0/6/0"), Value::Integer(1));
        let walked: Vec<String> = tree.values().map(|(path, _)| path.to_string()).collect();
        assert_eq!(walked, ["/3/0/6/0", "/3/0/6/1", "/5/0/3"]);
        assert_eq!(tree.value(path("/3/0/6")), None);
        assert_eq!(tree.value(path("/5/0/3/0")), None);
        assert!(!tree.set(path("/5/0"), Value::Integer(1)));
        assert_eq!(tree.under(path("/3/0/6/1")).values().count(), 1);
        assert!(tree.remove(path("/3/0/6/1")));
        assert!(!tree.remove(path("/3/0/6/1")));
        assert!(tree.contains(path("/3/0/6")));
    }

    #[test]
    fn merging_keeps_resource_instances_that_are_not_named() {
        let mut tree = Tree::of(path("/3/0/6/0"), Value::Integer(1));
        tree.merge(Tree::of(path("/3/0/6/1"), Value::Integer(5)));
        assert_eq!(tree.values().count(), 2);
        tree.merge(Tree::of(path("/3/0/6"), Value::Integer(9)));
        assert_eq!(tree.value(path("/3/0/6")), Some(&Value::Integer(9)));
    }
}
