//! Resources: made, uploaded to, and where they can be fetched (contract 2.3).

use std::net::SocketAddr;

use http::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{Answer, Asked, Refusal, created, done, groups::group_id, input, input::Fields, ok};
use crate::{
    air,
    api::upload,
    core::{
        firmware::Scheme,
        resources::{NotMade, Resource, expiration},
        tasks::Protocol,
    },
    limits,
    store::Kind,
};

const CATEGORIES: &[&str] = &["FIRMWARE", "SOFTWARE", "UNKNOWN", "IMAGE"];
const EXPIRATIONS: &[&str] = &["ONE_DAY", "ONE_WEEK", "ONE_MONTH", "FOREVER"];

impl Asked<'_> {
    /// `POST /resources` -> the id, drawn where none was given.
    pub(super) async fn create_resource(
        &self,
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let body = input::json(self.server, request).await?;
        let fields = Fields::of(&body, "resource")?;
        fields.needed("name")?;
        self.domain(fields.needed("domain")?)?;
        let category = fields.one_of("category", CATEGORIES)?;
        category.ok_or_else(|| fields.wrong("category", "needed"))?;
        let lives = fields
            .one_of("expirationTime", EXPIRATIONS)?
            .and_then(expiration);
        let lives = lives.ok_or_else(|| fields.wrong("expirationTime", "needed"))?;
        let elsewhere = location(&fields)?;
        for name in ["description", "device"] {
            fields.text(name)?;
        }
        fields.truth("visibleForSubtenants")?;
        fields.pairs("properties")?;
        direct_groups(&fields)?;
        let id = fields.text("id")?.map(str::to_owned);
        if id.as_deref() == Some("") {
            return Err(fields.wrong("id", "a text that is not empty"));
        }
        self.server.change(|state, now| {
            let id = id.unwrap_or_else(|| state.image_ids.draw(now));
            let resource = Resource {
                id: id.clone(),
                created: now,
                expires: lives.map(|lives| now + lives),
                elsewhere,
                image: None,
                said: body.clone(),
            };
            let document = json!(resource);
            let made = state.resources.add(now, &self.owner, resource);
            made.map_err(|why| match why {
                NotMade::Known => Refusal::conflict("There is a resource with this id already"),
                NotMade::Full => Refusal::too_many("There are too many resources"),
            })?;
            let key = json!([self.owner, id]).to_string();
            self.server.store.put(Kind::Resource, &key, document);
            created(json!(id))
        })
    }

    /// `PUT /resources/{id}/data`: octets, as they are. Another upload takes the place of the last.
    pub(super) async fn upload(
        &self,
        id: &str,
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let unknown = || Refusal::not_found("Resource not found.");
        let now = self.server.now();
        let known = self
            .server
            .state()
            .resources
            .get(now, &self.owner, id)
            .cloned();
        let before = known.ok_or_else(unknown)?;
        if before.elsewhere.is_some() {
            return Err(Refusal::conflict("This resource is stored elsewhere"));
        }
        let stored = upload::receive(self.server, request.into_body()).await?;
        let image = self.server.keep_image(stored);
        let image = image.map_err(|why| upload::refused(&why))?;
        let mut state = self.server.state();
        let changed = state.resources.set_image(now, &self.owner, id, &image.id);
        let document = changed.map(|it| json!(it));
        let unused = before
            .image
            .filter(|it| state.firmware.needs_image(it).is_none());
        drop(state);
        let Some(document) = document else {
            self.server.forget_image(&image.id);
            return Err(unknown());
        };
        let key = json!([self.owner, id]).to_string();
        self.server.store.put(Kind::Resource, &key, document);
        if let Some(image) = unused {
            self.server.forget_image(&image);
        }
        done()
    }

    /// `POST /resources/{id}/downloadUrl`: `{"protocol": ...}` -> `{"address": ...}`.
    pub(super) async fn download_url(
        &self,
        id: &str,
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let body = input::json(self.server, request).await?;
        let fields = Fields::of(&body, "request")?;
        let name = fields.needed("protocol")?;
        let protocol = Protocol::parse(name);
        let protocol = protocol.ok_or_else(|| fields.wrong("protocol", "one that is known"))?;
        let state = self.server.state();
        let found = state.resources.get(self.server.now(), &self.owner, id);
        let resource = found.ok_or_else(|| Refusal::not_found("Resource not found."))?;
        if let Some(address) = &resource.elsewhere {
            return ok(json!({"address": address}));
        }
        let no_data = || Refusal::not_found("The resource has no data yet.");
        let image = resource.image.as_deref().ok_or_else(no_data)?;
        let secured = self.server.sockets.secured.is_some();
        let plain = self.server.sockets.plain.is_some();
        let served = protocol.scheme().filter(|it| match it {
            Scheme::Http => true,
            Scheme::Coap => plain,
            Scheme::Coaps => secured,
        });
        let scheme = served
            .ok_or_else(|| Refusal::conflict(format!("The protocol {name} is not served here")))?;
        let local = self.server.http.get().copied();
        let local = local.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        ok(json!({"address": air::uri(self.server, scheme, local, image)}))
    }
}

/// Where somebody else serves it; `None`: it will be uploaded.
fn location(fields: &Fields<'_>) -> Result<Option<String>, Refusal> {
    let wrong = || fields.wrong("location", "one of InternalLocation, ExternalLocation");
    let object = fields.get("location").and_then(Value::as_object);
    let object = object.filter(|it| it.len() == 1).ok_or_else(wrong)?;
    let (form, inside) = object.iter().next().ok_or_else(wrong)?;
    let inside = Fields::of(inside, "resource.location")?;
    match form.as_str() {
        "InternalLocation" => {
            inside.needed("fileName")?;
            inside.truth("staticContent")?;
            Ok(None)
        }
        "ExternalLocation" => {
            let uri = inside.needed("fileUrl")?;
            inside.text("username")?;
            inside.text("password")?;
            // /5/0/1 takes 255 bytes.
            let fits = Protocol::of_uri(uri).is_some() && uri.len() <= limits::MAX_PACKAGE_URI;
            let shape = "a URL that a device can fetch, of at most 255 bytes";
            if fits {
                Ok(Some(uri.to_owned()))
            } else {
                Err(inside.wrong("fileUrl", shape))
            }
        }
        _ => Err(wrong()),
    }
}

/// Looks at `directGroups`: kinds of devices, or groups.
fn direct_groups(fields: &Fields<'_>) -> Result<(), Refusal> {
    let Some(value) = fields.get("directGroups") else {
        return Ok(());
    };
    let wrong = || {
        let forms = "a list of DeviceDirectGroup and RawDirectGroup";
        fields.wrong("directGroups", forms)
    };
    for group in value.as_array().ok_or_else(wrong)? {
        let object = group.as_object().filter(|it| it.len() == 1);
        let (form, inside) = object.and_then(|it| it.iter().next()).ok_or_else(wrong)?;
        let inside = Fields::of(inside, "resource.directGroups")?;
        match form.as_str() {
            "DeviceDirectGroup" => {
                inside.needed("manufacturer")?;
                inside.needed("model")?;
                inside.text("version")?;
            }
            "RawDirectGroup" => {
                group_id(inside.needed("value")?)?;
            }
            _ => return Err(wrong()),
        }
    }
    Ok(())
}
