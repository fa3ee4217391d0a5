//! What must hold of `template.yaml` beside its routes: least privilege, logs, limits, settings, metrics.

use std::{collections::BTreeSet, fs, path::Path};

use serde_norway::{Mapping, Value};
use shared::{
    config::SETTINGS,
    http::{Access, Routes},
    metrics::Metric,
};

use super::{TEMPLATE, binary_of, choose, example_paths, template_paths};

fn template() -> Value {
    serde_norway::from_str(TEMPLATE).expect("the template is YAML")
}

/// Returns the resources of a type, with their logical ids.
fn resources(template: &Value, of_type: &str) -> Vec<(String, Value)> {
    let all = template["Resources"].as_mapping().expect("the template has resources");
    let chosen = all.iter().filter(|(_, resource)| resource["Type"] == of_type);
    chosen.map(|(id, resource)| (id.as_str().expect("a logical id").to_owned(), resource.clone())).collect()
}

fn functions(template: &Value) -> Vec<(String, Value)> {
    let functions = resources(template, "AWS::Serverless::Function");
    assert!(functions.len() > 10);
    functions.into_iter().map(|(id, function)| (id, function["Properties"].clone())).collect()
}

/// Returns every text in a value, behind tags and in lists too.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Sequence(items) => items.iter().flat_map(texts).collect(),
        Value::Mapping(members) => members.values().flat_map(texts).collect(),
        Value::Tagged(tagged) => texts(&tagged.value),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Returns every statement of every policy.
fn statements(value: &Value) -> Vec<&Mapping> {
    match value {
        Value::Mapping(members) if members.contains_key("Effect") => vec![members],
        Value::Mapping(members) => members.values().flat_map(statements).collect(),
        Value::Sequence(items) => items.iter().flat_map(statements).collect(),
        Value::Tagged(tagged) => statements(&tagged.value),
        _ => Vec::new(),
    }
}

/// The objects below a prefix of a named bucket are as narrow as a policy can be.
fn is_wildcard(text: &str) -> bool {
    let below = text.strip_suffix("/*").and_then(|start| start.strip_prefix("${")?.split_once(".Arn}/"));
    let is_prefix = below.is_some_and(|(_, prefix)| !prefix.is_empty() && !prefix.contains('*'));
    text.contains('*') && !is_prefix
}

/// Reports whether `# Wildcard: …` stands in the statement of a line, or above it.
fn has_reason(lines: &[&str], line: usize) -> bool {
    let mut effects = 0;
    for text in lines[..line].iter().rev() {
        if text.trim_start().starts_with("# Wildcard: ") {
            return true;
        }
        effects += usize::from(text.contains("Effect:"));
        if effects > 1 || text.trim_start().starts_with("Type: AWS::") {
            return false;
        }
    }
    false
}

#[test]
fn every_wildcard_of_a_policy_has_a_reason() {
    let template = template();
    let statements = statements(&template);
    assert!(statements.len() > 10);
    let lines: Vec<&str> = TEMPLATE.lines().collect();
    for statement in statements {
        for member in ["Action", "Resource", "NotAction", "NotResource", "Principal"] {
            let Some(value) = statement.get(member) else { continue };
            for wildcard in texts(value).into_iter().filter(|text| is_wildcard(text)) {
                let places = (0..lines.len()).filter(|line| {
                    let mut words = lines[*line].split([' ', '"', ',', '[', ']']);
                    !lines[*line].trim_start().starts_with('#') && words.any(|word| word == wildcard)
                });
                // Other members have the same text: allowed origins, and the times of schedules.
                let elsewhere = |line: &usize| ["Allowed", "cron("].iter().any(|text| lines[*line].contains(text));
                let places: Vec<usize> = places.filter(|line| !elsewhere(line)).collect();
                assert!(!places.is_empty(), "{wildcard} is not found");
                for line in places {
                    assert!(has_reason(&lines, line), "line {}: {wildcard} has no reason", line + 1);
                }
            }
        }
    }
}

#[test]
fn a_wildcard_is_recognised() {
    for wildcard in ["*", "s3:*", "s3:Get*", "${Bucket.Arn}/*", "${Bucket.Arn}/a*/*", "arn:aws:bedrock:*::model/x"]
    {
        assert!(is_wildcard(wildcard), "{wildcard}");
    }
    for narrow in ["s3:GetObject", "${Bucket.Arn}/attachments/*"] {
        assert!(!is_wildcard(narrow), "{narrow}");
    }
    let policy = ["# Wildcard: for all", "- Effect: Allow", "Action: \"*\"", "- Effect: Allow", "Action: \"*\""];
    assert!(has_reason(&policy, 2) && !has_reason(&policy, 4));
}

#[test]
fn every_function_writes_into_a_log_group_that_forgets() {
    let template = template();
    for (id, function) in functions(&template) {
        let Value::Tagged(group) = &function["LoggingConfig"]["LogGroup"] else { panic!("{id} has no log group") };
        let group = &template["Resources"][group.value.as_str().expect("a reference")];
        assert_eq!(group["Type"], "AWS::Logs::LogGroup", "{id}");
        assert!(!group["Properties"]["RetentionInDays"].is_null(), "{id}");
        let (names, groups) = (texts(&function["FunctionName"]), texts(&group["Properties"]["LogGroupName"]));
        assert_eq!(groups, [format!("/aws/lambda/{}", names[0])], "{id}");
        assert_eq!(names, [format!("${{AWS::StackName}}-{}", binary_of(&id))], "{id}");
    }
}

#[test]
fn every_function_of_the_template_exists_and_the_other_way_round() {
    let listed: BTreeSet<String> = functions(&template()).iter().map(|(id, _)| binary_of(id)).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = fs::read_dir(folder).expect("the folder of functions").flatten();
    let names = folders.filter(|entry| entry.path().join("Cargo.toml").exists());
    let names: BTreeSet<String> = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let expected: BTreeSet<String> = names.into_iter().filter(|name| name != "local").collect();
    assert_eq!(listed, expected);
}

#[test]
fn every_variable_of_a_function_is_a_setting() {
    let template = template();
    let globals = &template["Globals"]["Function"];
    let functions = functions(&template);
    for function in functions.iter().map(|(_, function)| function).chain([globals]) {
        let Some(variables) = function["Environment"]["Variables"].as_mapping() else { continue };
        for name in variables.keys().filter_map(Value::as_str) {
            let is_known = SETTINGS.iter().any(|setting| setting.name == name) || name.starts_with("MALLOC_");
            assert!(is_known, "{name} is no setting");
        }
    }
}

#[test]
fn routes_on_which_secrets_are_guessed_or_others_are_called_are_throttled() {
    let template = template();
    let limits = template["Resources"]["Api"]["Properties"]["RouteSettings"].as_mapping().expect("limits");
    let limited: BTreeSet<&str> =
        limits.keys().filter_map(|route| Some(route.as_str()?.split_once(' ')?.1)).collect();
    let paths = template_paths();
    for path in &limited {
        assert!(paths.contains_key(*path), "{path} is limited but no event has it");
    }
    let services: BTreeSet<&str> = local::functions::<Routes>()
        .iter()
        .flat_map(|(_, routes)| routes.iter().map(|route| (route.path, route.access)).collect::<Vec<_>>())
        .filter_map(|(path, access)| (access == Access::Service).then_some(path))
        .collect();
    // Each event of the template is a function of its own here, so that the choice is the event.
    let events = paths.keys().map(|path| (path.clone(), path.clone())).collect();
    let wanted = |path: &str| services.contains(path) || path.starts_with("/api/v1/auth/");
    let examples = local::functions::<Routes>()
        .iter()
        .flat_map(|(_, routes)| routes.iter().map(|route| route.path).collect::<Vec<_>>())
        .zip(example_paths())
        .filter(|(path, _)| wanted(path) || path.ends_with("/test"))
        .map(|(_, (_, example))| example)
        .collect::<Vec<_>>();
    assert!(examples.len() > 3);
    for example in examples {
        let event = choose(&events, &example);
        assert!(limited.contains(event), "{example} is not throttled by {event}");
    }
}

#[test]
fn the_dashboard_shows_every_metric_and_no_alarm_waits_for_another() {
    let template = template();
    let dashboard = texts(&template["Resources"]["Dashboard"]["Properties"]["DashboardBody"])[0];
    let body: serde_json::Value = serde_json::from_str(dashboard).expect("the dashboard is JSON");
    let widgets = body["widgets"].as_array().expect("widgets");
    let series =
        widgets.iter().flat_map(|widget| widget["properties"]["metrics"].as_array().into_iter().flatten());
    let ours = series.filter(|metric| metric[0] == "AIMO").filter_map(|metric| metric[1].as_str());
    let shown: BTreeSet<&str> = ours.collect();
    let known: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    assert_eq!(shown, known);
    let alarms = resources(&template, "AWS::CloudWatch::Alarm");
    assert!(!alarms.is_empty());
    for (id, alarm) in alarms {
        let properties = &alarm["Properties"];
        let series = properties["Metrics"]
            .as_sequence()
            .into_iter()
            .flatten()
            .map(|metric| &metric["MetricStat"]["Metric"]);
        for metric in series.chain([properties]).filter(|metric| metric["Namespace"] == "AIMO") {
            let name = metric["MetricName"].as_str().expect("a name");
            assert!(known.contains(name), "{id} waits for {name}");
        }
    }
}

/// A parameter can be read by whoever sees the stack; secrets lie in Secrets Manager.
#[test]
fn no_parameter_is_a_secret() {
    let template = template();
    for (name, _) in template["Parameters"].as_mapping().expect("parameters") {
        let name = name.as_str().expect("a name");
        let is_reference = name.ends_with("Arn");
        let sounds_secret = ["Secret", "Key", "Token", "Password"].iter().any(|word| name.contains(word));
        assert!(is_reference || !sounds_secret, "{name}");
    }
}
