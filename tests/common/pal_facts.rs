//! What `abi/pal.json` says, and what it would say if something of it were different.
//!
//! For the tests of the library (src/ffi/pal/tests.rs) and for those of its header (tests/pal_abi.rs).

use serde_json::Value;
use std::collections::BTreeMap;

/// The facts for targets with pointers of this size. The file has them for 8 bytes; what depends on it follows by the rules of C.
pub fn json(pointer_size: i64) -> Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/abi/pal.json"));
    let written: Value = serde_json::from_str(text).expect("abi/pal.json is JSON");
    let laid_out = with_pointers_of(&written, pointer_size);
    assert_eq!(
        with_pointers_of(&laid_out, 8),
        written,
        "the rules of C give what was measured where pointers have 8 bytes"
    );
    laid_out
}

/// The facts with all sizes and offsets worked out anew.
fn with_pointers_of(json: &Value, pointer_size: i64) -> Value {
    let facts = Facts::read(json, 0);
    let mut laid_out = json.clone();
    for (name, structure) in &facts.structs {
        laid_out["structs"][name]["size"] = layout(name, &facts, pointer_size).0.into();
        let offsets = offsets(structure, &facts, pointer_size).0;
        for (index, (field, offset)) in structure.fields.iter().zip(offsets).enumerate() {
            laid_out["structs"][name]["fields"][index] = format!("{} {} @{offset}", field.kind, field.name).into();
        }
    }
    for (name, (structure, _)) in &facts.aliases {
        laid_out["structs"][name]["size"] = layout(structure, &facts, pointer_size).0.into();
    }
    for (name, typedef) in &facts.typedefs {
        laid_out["typedefs"][name]["size"] = layout(&typedef.kind, &facts, pointer_size).0.into();
    }
    laid_out
}

/// The size and alignment of a type: each field at the next place that its alignment allows, as every ABI of Linux on ARM and x86-64 has it.
pub fn layout(kind: &str, facts: &Facts, pointer_size: i64) -> (i64, i64) {
    let kind = kind.trim();
    if let Some((element, count)) = kind.split_once('[') {
        let (size, align) = layout(element, facts, pointer_size);
        return (size * integer(count.trim_end_matches(']')), align);
    }
    if let Some(structure) = facts.structs.get(kind) {
        let (_, end, align) = offsets(structure, facts, pointer_size);
        return (next_multiple(end, align), align);
    }
    if let Some(typedef) = facts.typedefs.get(kind) {
        return layout(&typedef.kind, facts, pointer_size);
    }
    let size = match kind {
        "char" | "signed char" | "unsigned char" | "uint8_t" | "int8_t" | "_Bool" => 1,
        "short unsigned int" | "uint16_t" | "int16_t" => 2,
        "int" | "uint32_t" | "int32_t" => 4,
        "double" | "uint64_t" | "int64_t" => 8,
        "size_t" | "uintptr_t" | "ptrdiff_t" => pointer_size,
        pointer if pointer.contains('*') => pointer_size,
        enumeration if facts.enums.contains_key(enumeration) => 4,
        other => panic!("{other} has no known size"),
    };
    (size, size)
}

/// Where the fields of a structure lie, where the last one ends, and the alignment of the whole.
fn offsets(structure: &Struct, facts: &Facts, pointer_size: i64) -> (Vec<i64>, i64, i64) {
    let (mut offsets, mut end, mut most) = (Vec::new(), 0, 1);
    for field in &structure.fields {
        let (size, align) = layout(&field.kind, facts, pointer_size);
        let offset = next_multiple(end, align);
        offsets.push(offset);
        end = offset + size;
        most = most.max(align);
    }
    (offsets, end, most)
}

fn next_multiple(number: i64, of: i64) -> i64 {
    (number + of - 1) / of * of
}

/// The types of a function or of a function pointer, in C.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prototype {
    pub result: String,
    pub parameters: Vec<String>,
}

impl Prototype {
    /// Reads `result (parameters)`, with or without the names of the parameters.
    fn read(text: &str) -> Self {
        let (result, parameters) = text.split_once('(').expect("a prototype has parameters");
        let parameters = parameters.strip_suffix(')').expect("a prototype ends with its parameters");
        let parameters = if parameters == "void" { "" } else { parameters };
        let parameters = parameters.split(',').filter(|parameter| !parameter.is_empty()).map(type_of).collect();
        Self { result: spaced(result), parameters }
    }

    /// Reads the type of a pointer to a function.
    pub fn read_pointer(text: &str) -> Option<Self> {
        text.contains("(*)").then(|| Self::read(&text.replacen("(*)", "", 1)))
    }

    pub fn parameters(&self) -> String {
        if self.parameters.is_empty() { "void".to_owned() } else { self.parameters.join(", ") }
    }

    fn text(&self, between: &str) -> String {
        format!("{} {between}({})", self.result, self.parameters())
    }

    /// Those that differ from this one in one place.
    fn others(&self, pointer_size: i64) -> Vec<Self> {
        let results = other_types(&self.result, pointer_size).into_iter().map(|result| Self { result, ..self.clone() });
        let mut others: Vec<Self> = results.collect();
        for (index, parameter) in self.parameters.iter().enumerate() {
            for other in other_types(parameter, pointer_size) {
                let mut changed = self.clone();
                changed.parameters[index] = other;
                others.push(changed);
            }
            let mut shorter = self.clone();
            shorter.parameters.remove(index);
            others.push(shorter);
        }
        let mut longer = self.clone();
        longer.parameters.push("int".to_owned());
        others.push(longer);
        others
    }
}

/// A field of a structure, its type in C.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub kind: String,
    pub offset: i64,
}

#[derive(Debug)]
pub struct Struct {
    pub size: i64,
    pub fields: Vec<Field>,
}

/// Another name of a type in C. The variants give no size.
#[derive(Debug)]
pub struct Typedef {
    pub kind: String,
    pub size: Option<i64>,
}

#[derive(Debug)]
pub struct Enum {
    pub size: i64,
    pub values: BTreeMap<String, i64>,
}

/// What counts for one version of the lookups.
#[derive(Debug)]
pub struct Facts {
    pub functions: BTreeMap<String, Prototype>,
    pub structs: BTreeMap<String, Struct>,
    /// Other names of structures, which stand among the typedefs too: whose, and their size.
    pub aliases: BTreeMap<String, (String, i64)>,
    pub typedefs: BTreeMap<String, Typedef>,
    pub enums: BTreeMap<String, Enum>,
    /// The places within an address, by its family.
    pub layouts: BTreeMap<String, Vec<(String, i64)>>,
    /// Expressions in C.
    pub configuration: BTreeMap<String, String>,
}

impl Facts {
    pub fn read(json: &Value, dns_api_version: u32) -> Self {
        let mut functions: BTreeMap<_, _> = counted(json, "functions")
            .map(|(name, fact)| {
                let parameters = items(&fact["params"]).map(|text| type_of(string(text))).collect();
                (name, Prototype { result: string(&fact["returns"]).to_owned(), parameters })
            })
            .collect();
        let mut typedefs: BTreeMap<_, _> = counted(json, "typedefs")
            .map(|(name, fact)| {
                (name, Typedef { kind: string(&fact["type"]).to_owned(), size: Some(number(&fact["size"])) })
            })
            .collect();
        if let Some((key, variant)) = variant(json, dns_api_version) {
            if let Some((_, replaced)) = key.split_once("instead of ") {
                functions.remove(replaced.trim_end_matches(')')).expect("a variant replaces a function that there is");
            }
            for (name, text) in entries(variant) {
                let text = string(text);
                if name.starts_with("pal_") {
                    functions.insert(name.clone(), Prototype::read(text));
                } else {
                    typedefs.insert(name.clone(), Typedef { kind: text.to_owned(), size: None });
                }
            }
        }
        let mut structs = BTreeMap::new();
        let mut aliases = BTreeMap::new();
        let mut layouts = BTreeMap::new();
        for (name, fact) in counted(json, "structs") {
            let size = number(&fact["size"]);
            if let Some(other) = fact.get("alias_of") {
                aliases.insert(name, (string(other).to_owned(), size));
                continue;
            }
            structs.insert(name, Struct { size, fields: items(&fact["fields"]).map(field).collect() });
            for (family, text) in fact.get("layout_of_addressData").into_iter().flat_map(entries) {
                layouts.insert(family.clone(), places(string(text)));
            }
        }
        let enums = counted(json, "enums").map(|(name, fact)| {
            let values = entries(&fact["values"]).map(|(name, value)| (name.clone(), number(value))).collect();
            (name, Enum { size: number(&fact["size"]), values })
        });
        let configuration = entries(&json["configuration_in_force"]);
        let configuration = configuration.map(|(name, value)| (name.clone(), string(value).to_owned())).collect();
        Self { functions, structs, aliases, typedefs, enums: enums.collect(), layouts, configuration }
    }
}

/// The facts with one number larger or smaller by one, for each number that counts, and what is different.
///
/// Of the configuration only the names given.
pub fn with_other_numbers(json: &Value, configuration: &[&str]) -> Vec<(String, Value)> {
    let mut places = Vec::new();
    for section in ["structs", "typedefs", "enums"] {
        for (name, fact) in counted(json, section) {
            find_numbers(fact, &format!("/{section}/{name}"), &mut places);
        }
    }
    for name in configuration {
        let place = format!("/configuration_in_force/{name}");
        find_numbers(json.pointer(&place).expect("a name of the configuration"), &place, &mut places);
    }
    let mut others = Vec::new();
    for (place, occurrence) in places {
        for by in [1, -1] {
            let mut other = json.clone();
            let value = other.pointer_mut(&place).expect("it was found there");
            *value = match &*value {
                Value::String(text) => {
                    let (start, end) = numbers_of(text)[occurrence];
                    let number = integer(&text[start..end]) + by;
                    format!("{}{number}{}", &text[..start], &text[end..]).into()
                }
                value => (number(value) + by).into(),
            };
            others.push((format!("{place}, number {occurrence}, by {by}"), other));
        }
    }
    others
}

/// The facts with one type changed, or one parameter dropped or added, in one place, for each that counts, and what is different.
pub fn with_other_types(json: &Value, dns_api_version: u32, pointer_size: i64) -> Vec<(String, Value)> {
    let facts = Facts::read(json, dns_api_version);
    let variant = variant(json, dns_api_version).map(|(key, _)| key.clone());
    let in_variant = |name: &str| variant.as_deref().filter(|key| json["variants"][key].get(name).is_some());
    let mut others = Vec::new();
    for (name, prototype) in &facts.functions {
        for other in prototype.others(pointer_size) {
            let what = format!("{name}: {}", other.text(""));
            let mut changed = json.clone();
            if let Some(variant) = in_variant(name) {
                changed["variants"][variant][name] = other.text("").into();
            } else {
                changed["functions"][name]["returns"] = other.result.into();
                changed["functions"][name]["params"] = other.parameters.into();
            }
            others.push((what, changed));
        }
    }
    for (name, typedef) in &facts.typedefs {
        let kinds = match Prototype::read_pointer(&typedef.kind) {
            Some(prototype) => prototype.others(pointer_size).iter().map(|other| other.text("(*)")).collect(),
            None => other_types(&typedef.kind, pointer_size),
        };
        for kind in kinds {
            let what = format!("{name}: {kind}");
            let mut changed = json.clone();
            match in_variant(name) {
                Some(variant) => changed["variants"][variant][name] = kind.into(),
                None => changed["typedefs"][name]["type"] = kind.into(),
            }
            others.push((what, changed));
        }
    }
    for (name, (kind, _)) in &facts.aliases {
        for kind in other_types(kind, pointer_size) {
            let mut changed = json.clone();
            changed["structs"][name]["alias_of"] = kind.clone().into();
            others.push((format!("{name}: an alias of {kind}"), changed));
        }
    }
    for (name, structure) in &facts.structs {
        for (index, field) in structure.fields.iter().enumerate() {
            for kind in other_types(&field.kind, pointer_size) {
                let mut changed = json.clone();
                let text = format!("{kind} {} @{}", field.name, field.offset);
                changed["structs"][name]["fields"][index] = text.clone().into();
                others.push((format!("{name}: {text}"), changed));
            }
        }
    }
    others
}

/// Types that are not this one.
fn other_types(kind: &str, pointer_size: i64) -> Vec<String> {
    if let Some((element, rest)) = kind.split_once('[') {
        return other_types(element, pointer_size)
            .into_iter()
            .filter(|other| !other.ends_with('*'))
            .map(|other| format!("{other}[{rest}"))
            .collect();
    }
    let mut others = match kind.strip_suffix('*') {
        Some(pointee) => {
            let other_pointee =
                pointee.strip_prefix("const ").map_or_else(|| format!("const {pointee}"), str::to_owned);
            vec![format!("{other_pointee}*"), "double *".to_owned(), format!("{kind} *")]
        }
        None if kind == "void" => vec!["int".to_owned(), "void *".to_owned()],
        None => vec!["double".to_owned(), format!("{kind} *")],
    };
    // The same size with another sign, another size, or another kind of number of the same size.
    let numbers: &[&str] = match kind {
        "_Bool" => &["uint8_t", "int"],
        "char" => &["signed char", "unsigned char"],
        "uint8_t" => &["int8_t", "uint16_t"],
        "uint16_t" | "short unsigned int" => &["int16_t", "uint32_t"],
        "uint32_t" | "palSocketLength_t" => &["int32_t", "uint64_t"],
        "int" | "int32_t" | "palStatus_t" => &["uint32_t", "int64_t"],
        // Of the two numbers without a sign, one is the same type.
        "size_t" | "uintptr_t" | "palDNSQuery_t" if pointer_size == 4 => &["ptrdiff_t", "uint64_t", "void *"],
        "size_t" | "uintptr_t" | "palDNSQuery_t" => &["ptrdiff_t", "uint32_t", "void *"],
        _ => &[],
    };
    others.extend(numbers.iter().map(|other| (*other).to_owned()));
    others
}

/// The members of a section.
fn counted<'a>(json: &'a Value, section: &str) -> impl Iterator<Item = (String, &'a Value)> {
    entries(&json[section]).map(|(name, fact)| (name.clone(), fact))
}

/// What is different in this version of the lookups.
fn variant(json: &Value, dns_api_version: u32) -> Option<(&String, &Value)> {
    let start = format!("PAL_DNS_API_VERSION {dns_api_version} ");
    let found = entries(&json["variants"]).find(|(key, _)| key.starts_with(&start));
    assert_eq!(found.is_none(), dns_api_version == 0, "version 0 has no variant, and every other has one");
    found
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().unwrap_or_else(|| panic!("{value} is no object")).iter()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no array")).iter()
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string"))
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// A whole number as C has it.
pub fn integer(text: &str) -> i64 {
    let number = text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| i64::from_str_radix(digits, 16));
    number.unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// One space between the words of a type.
fn spaced(text: &str) -> String {
    text.replace('*', " * ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The type of a parameter that may have a name.
fn type_of(parameter: &str) -> String {
    let text = spaced(parameter);
    match text.rsplit_once(' ') {
        Some((kind, "*")) => format!("{kind} *"),
        Some((kind, last)) if kind != "const" && !matches!(last, "int" | "char" | "long" | "short") => kind.to_owned(),
        _ => text,
    }
}

/// Reads `type name @offset`.
fn field(text: &Value) -> Field {
    let (declaration, offset) = string(text).rsplit_once(" @").expect("a field has an offset");
    let (kind, name) = declaration.rsplit_once(' ').expect("a field has a name");
    Field { name: name.to_owned(), kind: kind.to_owned(), offset: integer(offset) }
}

/// Reads `as ...: name @offset, name @offset (remark), ...`.
fn places(text: &str) -> Vec<(String, i64)> {
    let (_, places) = text.split_once(": ").expect("a layout says like what it is");
    let place = |place: &str| {
        let (name, offset) = place.split_once(" @").expect("a place has an offset");
        let offset = offset.split(' ').next().unwrap_or_default();
        (name.to_owned(), integer(offset))
    };
    places.split(", ").map(place).collect()
}

/// Where the numbers are: in the sizes of arrays and in offsets, or the whole text.
fn numbers_of(text: &str) -> Vec<(usize, usize)> {
    if text.starts_with(|letter: char| letter.is_ascii_digit()) {
        return vec![(0, text.len())];
    }
    let starts = text.match_indices(['[', '@']).map(|(before, _)| before + 1);
    let end = |start| text[start..].find(|letter: char| !letter.is_ascii_digit()).map_or(text.len(), |end| start + end);
    starts.map(|start| (start, end(start))).collect()
}

/// Every number under a value, by its place in the document and the how manieth it is there.
fn find_numbers(value: &Value, place: &str, places: &mut Vec<(String, usize)>) {
    match value {
        Value::Number(_) => places.push((place.to_owned(), 0)),
        Value::String(text) => places.extend((0..numbers_of(text).len()).map(|number| (place.to_owned(), number))),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_numbers(item, &format!("{place}/{index}"), places);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                find_numbers(member, &format!("{place}/{name}"), places);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}
