//! Every route of the routers reaches its function behind API Gateway (`template.yaml`) and under
//! `make watch` (`Cargo.toml`), and the template is as careful as it must be.

mod template;

use std::{collections::BTreeMap, process::Command};

use serde_norway::Value;
use shared::http::Routes;

const TEMPLATE: &str = include_str!("../../../../template.yaml");
const MAKEFILE: &str = include_str!("../../../../Makefile");
const MANIFEST: &str = include_str!("../../../../Cargo.toml");

/// Returns every route of every function, with a value in place of each parameter.
fn example_paths() -> Vec<(&'static str, String)> {
    let functions = local::functions::<Routes>();
    let routes = functions.iter().flat_map(|(name, routes)| routes.iter().map(move |route| (*name, route.path)));
    let fill = |path: &str| {
        let segments = path.split('/').map(|segment| if segment.starts_with('{') { "x1" } else { segment });
        segments.collect::<Vec<_>>().join("/")
    };
    routes.map(|(name, path)| (name, fill(path))).collect()
}

/// Returns the paths of the template, each with the binary of its function. `$default` is the path of
/// everything else.
fn template_paths() -> BTreeMap<String, String> {
    let template: Value = serde_norway::from_str(TEMPLATE).expect("the template is YAML");
    let resources = template["Resources"].as_mapping().expect("the template has resources");
    let mut paths = BTreeMap::new();
    for (id, resource) in resources {
        let Some(events) = resource["Properties"]["Events"].as_mapping() else { continue };
        let function = binary_of(id.as_str().expect("a logical id"));
        for event in events.values().filter(|event| event["Type"] == "HttpApi") {
            let path = event["Properties"]["Path"].as_str().unwrap_or("$default");
            let twice = paths.insert(path.to_owned(), function.clone());
            assert_eq!(twice, None, "{path} is listed twice");
        }
    }
    paths
}

/// `PushRulesFunction` runs `push-rules`.
fn binary_of(logical_id: &str) -> String {
    let mut name = String::new();
    for c in logical_id.trim_end_matches("Function").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(c.to_lowercase());
    }
    name
}

/// Chooses like API Gateway: a literal segment before a parameter before `{proxy+}`, which takes one
/// segment or more.
fn choose<'a>(paths: &'a BTreeMap<String, String>, path: &str) -> &'a str {
    fn rank(pattern: &str, path: &str) -> Option<Vec<u8>> {
        let (mut pattern, mut segments) = (pattern.split('/'), path.split('/'));
        let mut rank = Vec::new();
        loop {
            match (pattern.next(), segments.next()) {
                (None, None) => return Some(rank),
                (Some("{proxy+}"), Some(_)) => {
                    rank.push(2);
                    return Some(rank);
                }
                (Some(wanted), Some(segment)) if wanted == segment => rank.push(0),
                (Some(wanted), Some(_)) if wanted.starts_with('{') => rank.push(1),
                _ => return None,
            }
        }
    }
    let ranked = paths.iter().filter_map(|(pattern, function)| Some((rank(pattern, path)?, function)));
    ranked.min().map_or(&paths["$default"], |(_, function)| function)
}

#[test]
fn api_gateway_sends_every_route_to_its_function() {
    let paths = template_paths();
    for (function, path) in example_paths() {
        assert_eq!(choose(&paths, &path), function, "{path}");
    }
    assert_eq!(choose(&paths, "/api/v1/nothing"), "system");
    assert_eq!(choose(&paths, "/"), "system");
}

#[test]
fn cargo_lambda_watch_sends_every_route_to_its_function() {
    let manifest: toml::Table = MANIFEST.parse().expect("the manifest is TOML");
    let watch = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().expect("a table");
    let mut router = matchit::Router::new();
    for (path, function) in watch {
        router.insert(path, function.as_str().expect("a function")).expect("no two routes conflict");
    }
    for (function, path) in example_paths() {
        for path in [path.clone(), format!("{path}/")] {
            assert_eq!(router.at(&path).map(|found| *found.value), Ok(function), "{path}");
        }
    }
    assert_eq!(router.at("/api/v1/nothing").map(|found| *found.value), Ok("system"));
}

#[test]
fn every_path_of_the_template_leads_to_a_route() {
    let functions = local::functions::<Routes>();
    for (path, function) in template_paths().iter().filter(|(path, _)| *path != "$default") {
        let routes = functions.iter().find(|(name, _)| name == function).map(|(_, routes)| routes);
        let routes = routes.unwrap_or_else(|| panic!("{path} leads to {function}, which has no routes"));
        let alone =
            BTreeMap::from([(path.clone(), "here".to_owned()), ("$default".to_owned(), "elsewhere".to_owned())]);
        // Every path may end with a slash.
        let leads_to = |route: &str| {
            let path = route.replace(['{', '}'], "");
            [&path, &format!("{path}/")].iter().any(|path| choose(&alone, path) == "here")
        };
        assert!(routes.iter().any(|route| leads_to(route.path)), "no route of {function} is at {path}");
    }
}

/// LanceDB is large, and slow to start: only those may link it that search or write vectors (DESIGN section 2).
#[test]
fn few_functions_link_lancedb() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--workspace", "--edges", "normal", "--prefix", "none", "--invert", "lancedb"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8(tree.stdout).expect("UTF-8");
    assert!(tree.starts_with("lancedb v"), "{tree}");
    let mut linking: Vec<&str> = tree
        .lines()
        .filter(|line| line.contains("/functions/"))
        .filter_map(|line| line.split(' ').next())
        .collect();
    linking.sort_unstable();
    linking.dedup();
    let functions =
        MAKEFILE.lines().find_map(|line| line.strip_prefix("LANCEDB := ")).expect("the Makefile lists them");
    let mut expected: Vec<&str> = std::iter::once("local").chain(functions.split(' ')).collect();
    expected.sort_unstable();
    assert_eq!(linking, expected);
    assert_eq!(linking, ["indexer", "local", "maintenance", "migrate", "search"]);
}
