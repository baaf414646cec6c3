//! What a viewer does not see: addresses of people and networks.

use serde_json::Value;

/// Fields that hold an address.
const ADDRESSES: [&str; 4] = ["peer", "remote_media", "local_media", "source"];

/// Sets every address in a value to null.
pub fn addresses(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if ADDRESSES.contains(&name.as_str()) {
                    *value = Value::Null;
                } else {
                    addresses(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(addresses),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_go_and_the_rest_stays() {
        let mut value = json!({"legs": [{"peer": "192.0.2.1:5060", "codec": "PCMA"}], "source": "x", "id": "1"});
        addresses(&mut value);
        assert_eq!(value, json!({"legs": [{"peer": null, "codec": "PCMA"}], "source": null, "id": "1"}));
    }
}
