//! The management section: where the keys are managed, what the cookie may do, which calls are counted.

use super::{
    super::{
        Management,
        fault::{Fault, Findings},
        field::Field,
        management::{CookieWithoutOrigin, CountedPath},
        shape::{CookieFile, ManagementFile},
    },
    routes::Windows,
};

pub(super) fn checked(file: &ManagementFile, found: &mut Findings) -> Management {
    let section = Field::of("management");
    let mut management = Management::default();
    if let Some(keys) = &file.keys {
        let placed = management.at(keys).ok_or_else(|| Fault::Malformed(keys.clone(), KEYS_RULE));
        if let Some(placed) = found.keep(&section.key("keys"), placed) {
            management = placed;
        }
    }
    management.cookie_without_origin = match file.cookie_without_origin {
        CookieFile::Refused => CookieWithoutOrigin::Refused,
        CookieFile::Allowed => CookieWithoutOrigin::Allowed,
    };
    for (at, one) in file.limits.iter().enumerate() {
        let here = section.key("limits").item(at);
        let windows = Windows::new(one.per_second, one.per_10_seconds, one.per_minute, one.burst);
        if windows.limits.iter().all(|(_, limit, _)| limit.is_none()) && windows.burst.is_none() {
            found.note(here.clone(), Fault::Windows);
        }
        let rate = windows.rate(&here, found);
        let name = || one.route.clone();
        let path = CountedPath::new(&one.route).map_err(|error| Fault::Route(name(), error));
        let Some(path) = found.keep(&here.key("route"), path) else { continue };
        if !management.counts(&path) {
            found.note(here.key("route"), Fault::NotManaged(name()));
        } else if let Some(other) = management.limits().iter().find(|other| other.overlaps(&path)) {
            found.note(here.key("route"), Fault::RouteOverlap(other.template.clone(), name()));
        } else if let Some(other) = management.limits().iter().find(|other| other.class == path.class) {
            found.note(here.key("route"), Fault::ClassOverlap(other.template.clone(), name()));
        } else if let Some(rate) = rate {
            management.limits.push(path.at(rate));
        }
    }
    management
}

const KEYS_RULE: &str = "is no plain path of at most 64 bytes that no other management path stands in the way of";
