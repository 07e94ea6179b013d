//! Which paths belong to the gateway itself, to a function, or to the API behind the gate.

use faregate_edge::api::{Api, Operation};

use crate::invoke::Function;

/// The paths of the API's description.
#[derive(Debug)]
pub(crate) struct Routes(Vec<Route>);

impl Routes {
    /// The paths of a description, as long as this gateway knows who serves each.
    pub(crate) fn of(api: &Api) -> Result<Self, NobodyServes> {
        let mut routes: Vec<Route> = Vec::new();
        for operation in api.operations() {
            let nobody = || NobodyServes { path: operation.path.clone(), function: operation.function.clone() };
            let server = match operation.function.as_str() {
                Operation::GATEWAY => Server::Own(OwnPage::of(&operation.path).ok_or_else(nobody)?),
                name => Server::Function(Function::of(name).ok_or_else(nobody)?),
            };
            routes.push(Route { template: operation.path.clone(), server });
        }
        Ok(Self(routes))
    }

    /// Where a path belongs. The method plays no part: whoever serves a path answers 405 to a method that it has not.
    pub(crate) fn find(&self, path: &str) -> Place<'_> {
        let matching = self.0.iter().filter_map(|route| Some((route, route.parameters(path)?)));
        match matching.min_by_key(|(_, parameters)| parameters.len()) {
            Some((Route { template, server }, parameters)) => match server {
                Server::Own(page) => Place::Own { page: *page, parameters },
                Server::Function(function) => Place::Function { function: *function, template, parameters },
            },
            None => Place::Gate,
        }
    }
}

/// Where a request belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place<'r> {
    /// The gateway itself.
    Own {
        page: OwnPage,
        /// The path's parameters by name.
        parameters: Vec<(String, String)>,
    },
    /// A management function.
    Function {
        function: Function,
        /// The path's template, which API Gateway calls the resource.
        template: &'r str,
        /// The path's parameters by name, percent escapes left as they are.
        parameters: Vec<(String, String)>,
    },
    /// The API behind the gate.
    Gate,
}

/// What the gateway shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnPage {
    /// Whether it is ready.
    Health,
    /// The API's description for people.
    Description,
    /// The page about a problem's code.
    Problem,
}

impl OwnPage {
    fn of(template: &str) -> Option<Self> {
        match template {
            "/healthz" => Some(Self::Health),
            "/docs" => Some(Self::Description),
            "/problems/{code}" => Some(Self::Problem),
            _ => None,
        }
    }
}

/// A path of the description that this program has nobody for.
#[derive(Debug, thiserror::Error)]
#[error("nobody serves {path}: {function} is not in this program")]
pub struct NobodyServes {
    path: String,
    function: String,
}

#[derive(Debug)]
struct Route {
    template: String,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Own(OwnPage),
    Function(Function),
}

impl Route {
    fn parameters(&self, path: &str) -> Option<Vec<(String, String)>> {
        let mut segments = path.split('/');
        let mut parameters = Vec::new();
        for own in self.template.split('/') {
            let segment = segments.next()?;
            match own.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) if !segment.is_empty() => parameters.push((name.to_owned(), segment.to_owned())),
                None if own == segment => {}
                _ => return None,
            }
        }
        segments.next().is_none().then_some(parameters)
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn routes() -> Routes {
        Routes::of(&Api::shipped().unwrap()).unwrap()
    }

    #[test]
    fn keys_are_where_the_policy_has_them() {
        let routes = Routes::of(&Api::shipped().unwrap().with_keys_at("/api/keys").unwrap()).unwrap();
        let template = "/api/keys/self";
        let own = Place::Function { function: Function::Keys, template, parameters: Vec::new() };
        assert_eq!(routes.find("/api/keys/self"), own);
        assert_eq!(routes.find("/v1/api-keys/self"), Place::Gate);
        assert!(matches!(routes.find("/auth/nonce/0x1"), Place::Function { function: Function::Nonce, .. }));
    }

    #[test]
    fn a_path_belongs_to_the_function_that_names_it_best() {
        let routes = routes();
        let template = |path: &str| match routes.find(path) {
            Place::Function { template, .. } => template.to_owned(),
            _ => String::new(),
        };
        assert_eq!(template("/v1/api-keys/key_1"), "/v1/api-keys/{id}");
        assert_eq!(template("/v1/api-keys/self"), "/v1/api-keys/self");
        let place = routes.find("/auth/nonce/0xa%20");
        let parameters = vec![("address".to_owned(), "0xa%20".to_owned())];
        let template = "/auth/nonce/{address}";
        assert_eq!(place, Place::Function { function: Function::Nonce, template, parameters });
    }

    #[test]
    fn everything_else_goes_to_the_gate() {
        for path in ["/", "/v1", "/v1/api-keys/", "/v1/api-keys/a/b", "//v1/api-keys/a", "/healthz/", "/problems/a/b"] {
            assert_eq!(routes().find(path), Place::Gate, "{path}");
        }
        let routes = routes();
        assert_eq!(routes.find("/healthz"), Place::Own { page: OwnPage::Health, parameters: Vec::new() });
        let parameters = vec![("code".to_owned(), "not_found".to_owned())];
        assert_eq!(routes.find("/problems/not_found"), Place::Own { page: OwnPage::Problem, parameters });
    }

    #[test]
    fn a_description_that_names_a_stranger_is_refused() {
        for (path, function) in [("/a", "stranger"), ("/a", "gateway"), ("/healthz", "authorizers")] {
            let api = Api::parse(&format!("paths: {{{path}: {{get: {{x-faregate-function: {function}}}}}}}")).unwrap();
            let error = Routes::of(&api).unwrap_err().to_string();
            assert!(error.contains(path) && error.contains(function), "{error}");
        }
    }
}
