//! Every route that is simulated: method, path below `/v1/`, who may, and the handler.

use super::{Handler, address, allocate, capacity, catalog, issues, machine, network};
use crate::auth::Role;

/// One route.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// Below `/v1/`; a segment in braces matches any.
    pub(crate) pattern: &'static str,
    /// None: whoever passes the tenant check.
    pub(crate) role: Option<Role>,
    pub(crate) handler: Handler,
}

const fn route(method: &'static str, pattern: &'static str, role: Option<Role>, handler: Handler) -> Route {
    Route { method, pattern, role, handler }
}

const ANY: Option<Role> = None;
const VIEW: Option<Role> = Some(Role::View);
const EDIT: Option<Role> = Some(Role::Edit);
const ADMIN: Option<Role> = Some(Role::Admin);

pub(crate) static ROUTES: &[Route] = &[
    route("GET", "version", ANY, catalog::version),
    route("GET", "health", ANY, catalog::health),
    route("GET", "user/me", VIEW, catalog::user_me),
    route("GET", "project", VIEW, catalog::projects),
    route("GET", "project/{id}", VIEW, catalog::project),
    route("POST", "project/find", VIEW, catalog::find_projects),
    route("GET", "partition", ANY, catalog::partitions),
    route("GET", "partition/{id}", ANY, catalog::partition),
    route("POST", "partition/capacity", ANY, capacity::capacity),
    route("GET", "size", ANY, catalog::sizes),
    route("GET", "size/{id}", ANY, catalog::size),
    route("POST", "size/suggest", ANY, catalog::suggest_size),
    route("GET", "image", ANY, catalog::images),
    route("GET", "image/{id}", ANY, catalog::image),
    route("GET", "image/{id}/latest", ANY, catalog::latest_image),
    route("GET", "image/{id}/query", ANY, catalog::query_images),
    route("POST", "image/find", VIEW, catalog::find_images),
    route("GET", "filesystemlayout", VIEW, catalog::layouts),
    route("GET", "filesystemlayout/{id}", VIEW, catalog::layout),
    route("GET", "network", VIEW, network::list),
    route("GET", "network/{id}", VIEW, network::get),
    route("POST", "network/find", VIEW, network::find),
    route("POST", "network/allocate", EDIT, network::allocate),
    route("DELETE", "network/free/{id}", EDIT, network::free),
    route("POST", "network/free/{id}", EDIT, network::free),
    route("PUT", "network", ADMIN, network::create),
    route("POST", "network", ADMIN, network::update),
    route("DELETE", "network/{id}", ADMIN, network::delete),
    route("GET", "ip", VIEW, address::list),
    route("GET", "ip/{id}", VIEW, address::get),
    route("POST", "ip/find", VIEW, address::find),
    route("POST", "ip/allocate", EDIT, address::allocate),
    route("POST", "ip/allocate/{ip}", EDIT, address::allocate_given),
    route("POST", "ip", EDIT, address::update),
    route("DELETE", "ip/free/{id}", EDIT, address::free),
    route("GET", "machine", VIEW, machine::list),
    route("GET", "machine/{id}", VIEW, machine::get),
    route("POST", "machine/find", VIEW, machine::find),
    route("GET", "machine/issues", VIEW, issues::list),
    route("POST", "machine/issues/evaluate", VIEW, issues::evaluate),
    route("POST", "machine/allocate", EDIT, allocate::machine),
    route("DELETE", "machine/{id}/free", EDIT, machine::free),
    route("POST", "machine", ADMIN, machine::update),
    route("POST", "machine/{id}/reinstall", EDIT, machine::reinstall),
    route("POST", "machine/{id}/state", EDIT, machine::set_state),
    route("POST", "machine/{id}/power/on", EDIT, machine::power_on),
    route("POST", "machine/{id}/power/off", EDIT, machine::power_off),
    route("POST", "machine/{id}/power/reset", EDIT, machine::power_reset),
    route("POST", "machine/{id}/power/cycle", EDIT, machine::power_cycle),
    route("POST", "machine/{id}/power/bios", EDIT, machine::power_boot_device),
    route("POST", "machine/{id}/power/disk", EDIT, machine::power_boot_device),
    route("POST", "machine/{id}/power/pxe", EDIT, machine::power_boot_device),
    route("POST", "machine/{id}/power/chassis-identify-led-on", EDIT, machine::led_on),
    route("POST", "machine/{id}/power/chassis-identify-led-off", EDIT, machine::led_off),
    route("GET", "firewall", VIEW, machine::list_firewalls),
    route("GET", "firewall/{id}", VIEW, machine::get_firewall),
    route("POST", "firewall/find", VIEW, machine::find_firewalls),
    route("POST", "firewall/allocate", EDIT, allocate::firewall),
];
