//! Secrets come from files, the environment or systemd credentials.
//!
//! `password_file = "acme.secret"` is looked for in `$CREDENTIALS_DIRECTORY`
//! (systemd), then beside the configuration; `password_env = "ACME"` names a
//! variable. A secret written into the configuration itself is accepted only
//! if nobody but its owner can read that file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::section::Section;
use crate::base::redact::Secret;

/// Where relative paths start, and whether the file may hold secrets itself.
#[derive(Clone, Debug)]
pub struct Place {
    /// Directory of the configuration.
    pub dir: PathBuf,
    /// True if others can read the configuration.
    pub exposed: bool,
}

impl Place {
    /// The place of a configuration file.
    pub fn of(file: &Path) -> Self {
        let dir = file.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        Self { dir, exposed: readable_by_others(file) }
    }

    /// The place of a configuration that is built in.
    pub fn built_in() -> Self {
        Self { dir: PathBuf::from("."), exposed: false }
    }

    fn find(&self, name: &str) -> PathBuf {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| Path::new(&dir).join(name));
        credentials.filter(|path| path.is_file()).unwrap_or_else(|| self.dir.join(name))
    }

    /// Reads `KEY_file`, `KEY_env` or `KEY` of a section; notes a problem if
    /// there is none, several or an unreadable one.
    pub fn secret(&self, section: &Section<'_, '_>, key: &str) -> Option<Secret> {
        let (file, env) = (section.string(&format!("{key}_file")), section.string(&format!("{key}_env")));
        let plain = section.string(key);
        let allowed = format!("exactly one of {key}_file, {key}_env, {key}");
        if [file.is_some(), env.is_some(), plain.is_some()].iter().filter(|is| **is).count() != 1 {
            section.problem(key, section.at(), "no secret, or several", allowed);
            return None;
        }
        if let Some(file) = file {
            let path = self.find(&file.value);
            let shown = path.display().to_string();
            if readable_by_others(&path) {
                section.problem(&format!("{key}_file"), file.at, format!("{shown} is readable by others"), "mode 0600");
                return None;
            }
            return match fs::read_to_string(&path) {
                Ok(text) => Some(Secret::new(text.trim_end_matches(['\n', '\r']))),
                Err(error) => {
                    section.problem(&format!("{key}_file"), file.at, format!("{shown}: {error}"), "a readable file");
                    None
                }
            };
        }
        if let Some(env) = env {
            return match std::env::var(&env.value) {
                Ok(text) => Some(Secret::new(text)),
                Err(_) => {
                    section.problem(
                        &format!("{key}_env"),
                        env.at,
                        format!("{} is not set", env.value),
                        "a set variable",
                    );
                    None
                }
            };
        }
        let plain = plain?;
        if self.exposed {
            section.problem(
                key,
                plain.at,
                "a secret in a file that others can read",
                format!("mode 0600, or {key}_file"),
            );
            return None;
        }
        Some(Secret::new(plain.value))
    }
}

fn readable_by_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o007 != 0)
}
