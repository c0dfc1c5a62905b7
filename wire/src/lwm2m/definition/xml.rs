//! Definitions from the XML of OMA's registry, whose schema is `LWM2M.xsd`.
//!
//! ```xml
//! <LWM2M><Object ObjectType="MODefinition">
//!   <Name>Thing</Name> <ObjectID>26241</ObjectID> <ObjectVersion>1.1</ObjectVersion>
//!   <MultipleInstances>Single</MultipleInstances> <Mandatory>Optional</Mandatory>
//!   <Resources><Item ID="0">
//!     <Name>Level</Name> <Operations>RW</Operations> <MultipleInstances>Single</MultipleInstances>
//!     <Mandatory>Mandatory</Mandatory> <Type>Integer</Type>
//!   </Item></Resources>
//! </Object></LWM2M>
//! ```
//! Descriptions, ranges, units and URNs are passed over. A file describes one version of an
//! object, so that all of its resources count as there from the first version on.

use roxmltree::{Document, Node, ParsingOptions};

use super::ObjectDefinition;
use super::read::{DefinitionError, WrittenObject, WrittenResource, checked};
use crate::lwm2m::limits;
use crate::lwm2m::value::Kind;
use crate::lwm2m::version::Version;

pub(super) fn objects(xml: &str) -> Result<Vec<ObjectDefinition>, DefinitionError> {
    if xml.len() > limits::DEFINITION_FILE {
        return Err(DefinitionError::TooLarge(xml.len()));
    }
    let options = ParsingOptions {
        // Entities could be expanded without end; the registry uses none.
        allow_dtd: false,
        nodes_limit: limits::DEFINITION_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(xml.trim_start_matches('\u{feff}'), options)?;
    let root = document.root_element();
    if !root.has_tag_name("LWM2M") {
        let name = root.tag_name().name();
        return Err(shape(root, format!("<{name}> where <LWM2M> should be")));
    }
    let objects = children(root, "Object").map(object);
    checked(objects.collect::<Result<_, _>>()?)
}

fn object(node: Node<'_, '_>) -> Result<WrittenObject, DefinitionError> {
    let resources = match child(node, "Resources") {
        Some(resources) => children(resources, "Item").map(resource).collect(),
        None => Err(shape(node, "an object without <Resources>")),
    };
    Ok(WrittenObject {
        id: id(node, text(node, "ObjectID")?)?,
        name: text(node, "Name")?.to_owned(),
        version: match child(node, "ObjectVersion").map(content) {
            None | Some("") => Version::V1_0,
            Some(version) => version.parse().map_err(|why: String| shape(node, why))?,
        },
        multiple: choice(node, "MultipleInstances", ["Multiple", "Single"])?,
        mandatory: choice(node, "Mandatory", ["Mandatory", "Optional"])?,
        resources: resources?,
    })
}

fn resource(node: Node<'_, '_>) -> Result<WrittenResource, DefinitionError> {
    let written = node.attribute("ID");
    let written = written.ok_or_else(|| shape(node, "an <Item> without ID"))?;
    let operations = child(node, "Operations").map_or("", content);
    let executed = operations == "E";
    Ok(WrittenResource {
        id: id(node, written)?,
        name: text(node, "Name")?.to_owned(),
        operations: Some(operations.to_owned()),
        kind: if executed { None } else { Some(kind(node)?) },
        multiple: choice(node, "MultipleInstances", ["Multiple", "Single"])?,
        mandatory: choice(node, "Mandatory", ["Mandatory", "Optional"])?,
        since: Version::V1_0,
    })
}

fn kind(node: Node<'_, '_>) -> Result<Kind, DefinitionError> {
    let written = text(node, "Type")?;
    Ok(match written {
        "String" => Kind::String,
        "Integer" => Kind::Integer,
        "Unsigned Integer" => Kind::Unsigned,
        "Float" => Kind::Float,
        "Boolean" => Kind::Boolean,
        "Opaque" => Kind::Opaque,
        "Time" => Kind::Time,
        "Objlnk" => Kind::ObjectLink,
        "Corelnk" => Kind::CoreLink,
        other => return Err(shape(node, format!("`{}` is no <Type>", short(other)))),
    })
}

/// Whether it is the first of two words.
fn choice(
    node: Node<'_, '_>,
    name: &'static str,
    words: [&str; 2],
) -> Result<bool, DefinitionError> {
    let [yes, no] = words;
    match text(node, name)? {
        word if word == yes => Ok(true),
        word if word == no => Ok(false),
        other => {
            let why = format!("<{name}> is {yes} or {no}, not `{}`", short(other));
            Err(shape(node, why))
        }
    }
}

fn id(node: Node<'_, '_>, text: &str) -> Result<u16, DefinitionError> {
    let number = text.parse();
    number.map_err(|_| shape(node, format!("`{}` is no id of 16 bits", short(text))))
}

fn text<'a>(node: Node<'a, '_>, name: &'static str) -> Result<&'a str, DefinitionError> {
    let found = child(node, name).map(content);
    found.ok_or_else(|| {
        let parent = node.tag_name().name();
        shape(node, format!("<{parent}> without <{name}>"))
    })
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &'static str) -> Option<Node<'a, 'input>> {
    children(node, name).next()
}

fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children()
        .filter(move |child| child.has_tag_name(name))
}

fn content<'a>(node: Node<'a, '_>) -> &'a str {
    node.text().unwrap_or_default().trim()
}

fn short(text: &str) -> String {
    text.chars().take(20).collect()
}

fn shape(node: Node<'_, '_>, why: impl Into<String>) -> DefinitionError {
    let line = node.document().text_pos_at(node.range().start).row;
    DefinitionError::Shape {
        line,
        why: why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Definitions;
    use super::*;
    use crate::lwm2m::Path;

    /// Written by hand in the documented schema: all types, operations and multiplicities.
    const THING: &str = include_str!("thing.xml");

    #[test]
    fn a_file_of_the_registry_says_all_that_json_says() {
        let mut definitions = Definitions::new();
        assert_eq!(definitions.read_xml(THING).expect("good"), 1);
        let thing = definitions.object(26_241).expect("it is there");
        assert_eq!((thing.name.as_str(), thing.multiple), ("Thing", true));
        assert_eq!(thing.version, Version::V1_1);
        let kinds = thing.resources.values().map(|it| it.kind);
        let all = [
            Kind::String,
            Kind::Integer,
            Kind::Unsigned,
            Kind::Float,
            Kind::Boolean,
            Kind::Opaque,
            Kind::Time,
            Kind::ObjectLink,
            Kind::CoreLink,
        ];
        let expected = all.into_iter().map(Some).chain([None, Some(Kind::Opaque)]);
        assert_eq!(kinds.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        let of = |id| {
            definitions
                .resource(Path::resource(26_241, 0, id))
                .expect("known")
        };
        assert!(of(0).operations.read && of(0).operations.write && of(0).mandatory);
        assert!(of(1).multiple && !of(1).operations.write);
        assert!(of(9).operations.execute && !of(9).operations.read);
        let hidden = of(10).operations;
        assert!(!hidden.read && !hidden.write && !hidden.execute);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let with = |from: &str, to: &str| {
            let wrong = THING.replacen(from, to, 1);
            assert_ne!(wrong, THING, "{from}");
            objects(&wrong).expect_err(to).to_string()
        };
        for (from, to, why) in [
            ("LWM2M xmlns", "LWM2X xmlns", "expected 'LWM2X' tag"),
            ("<Type>Integer", "<Type>Int", "line 23: `Int` is no <Type>"),
            (
                "ID=\"1\"",
                "ID=\"0\"",
                "object 26241: resource 0 is defined twice",
            ),
            ("ID=\"1\"", "ID=\"65535\"", "65535 is reserved"),
            ("ID=\"1\"", "ID=\"x\"", "`x` is no id"),
            (">RW<", ">WR<", "operations `WR`"),
            (
                "<ObjectVersion>1.1",
                "<ObjectVersion>one",
                "no version such as 1.1",
            ),
            (
                "Mandatory>Optional",
                "Mandatory>Perhaps",
                "is Mandatory or Optional",
            ),
            ("<Name>Thing</Name>", "", "line 3: <Object> without <Name>"),
        ] {
            let error = with(from, to);
            assert!(error.contains(why), "{to}: {error}");
        }
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><LWM2M>&a;</LWM2M>";
        assert!(objects(bomb).is_err());
        let many = format!("<LWM2M>{}</LWM2M>", "<a/>".repeat(200_000));
        assert!(objects(&many).is_err());
    }
}
