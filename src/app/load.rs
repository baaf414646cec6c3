//! The configuration in force: a file, or the built-in default.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::build;
use crate::config::secret::Place;
use crate::config::{Problem, Settings, read};

/// Where the settings come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// What is in the binary.
    BuiltIn,
}

/// Everything wrong with a configuration, one sentence each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

/// The built-in default, as it stands in the tree.
pub const DEFAULT: &str = include_str!("../config/default.toml");

impl Source {
    /// The source of `-c FILE`, or the built-in one.
    pub fn of(file: Option<&Path>) -> Self {
        file.map_or(Self::BuiltIn, |file| Self::File(file.to_owned()))
    }

    /// How it is called in messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::BuiltIn => "built-in default".into(),
        }
    }

    /// Its text.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn text(&self) -> Result<String, Problems> {
        match self {
            Self::File(path) => {
                fs::read_to_string(path).map_err(|error| Problems(vec![format!("{}: {error}", path.display())]))
            }
            Self::BuiltIn => Ok(built_in()),
        }
    }

    /// The settings.
    ///
    /// # Errors
    ///
    /// Every problem at once, each with its place.
    pub fn settings(&self) -> Result<Settings, Problems> {
        let text = self.text()?;
        let place = match self {
            Self::File(path) => Place::of(path),
            Self::BuiltIn => Place::built_in(),
        };
        let named = |problem: &Problem| format!("{}:{problem}", self.name());
        let settings = read(&text, &place).map_err(|list| Problems(list.iter().map(named).collect()))?;
        // What needs a room's own grammar: URIs of trunks, templates of rules.
        let wrong = [build::rules(&settings).err(), build::targets(&settings).err()];
        let wrong: Vec<String> = wrong.into_iter().flatten().map(|what| format!("{}: {what}", self.name())).collect();
        if wrong.is_empty() { Ok(settings) } else { Err(Problems(wrong)) }
    }
}

/// The default with a place for its records that needs no privilege.
fn built_in() -> String {
    let dir = state_dir().display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
    DEFAULT.replacen("[node]\n", &format!("[node]\ndata_dir = \"{dir}\"\n"), 1)
}

/// `$XDG_STATE_HOME/sbc`, or `~/.local/state/sbc`, or a directory of this user in `/tmp`.
pub fn state_dir() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match (absolute("XDG_STATE_HOME"), absolute("HOME")) {
        (Some(state), _) => state.join("sbc"),
        (None, Some(home)) => home.join(".local/state/sbc"),
        (None, None) => std::env::temp_dir().join(format!("sbc-{}", rustix::process::getuid().as_raw())),
    }
}

/// Makes a directory that only we may enter; one that exists keeps its mode
/// unless it is ours to choose.
///
/// # Errors
///
/// As the system gives them.
pub fn make_dir(dir: &Path, private: bool) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(if private { 0o700 } else { 0o750 }).create(dir)?;
    if private {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Where the local socket of a running process may be, the likeliest first.
pub fn sockets(source: &Source) -> Vec<PathBuf> {
    match source {
        Source::File(_) => source.settings().map(|s| vec![s.admin.socket]).unwrap_or_default(),
        Source::BuiltIn => {
            vec![state_dir().join("sbc.sock"), "/run/sbc/sbc.sock".into(), "/var/lib/sbc/sbc.sock".into()]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_default_has_no_problem_and_its_own_state() {
        let settings = Source::BuiltIn.settings().expect("the default is right");
        assert_eq!(settings.node.data_dir, state_dir());
        assert_eq!(settings.admin.socket, state_dir().join("sbc.sock"));
    }

    #[test]
    fn problems_name_their_file() {
        let dir = std::env::temp_dir().join(format!("sbc-load-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("scratch");
        let file = dir.join("sbc.toml");
        let text = "[realm.a]\nlisten = [\"udp://127.0.0.1:0\"]\nleg = \"sip\"\nmedia = { ports = \"30000-30009\" }\n[[route]]\nto = [\"echo\"]\nrewrite = { to = \"${x}\" }\n";
        fs::write(&file, text).expect("scratch");
        let Problems(list) = Source::File(file.clone()).settings().expect_err("no such group");
        let wanted =
            format!("{}: route[0]: no pattern of this rule has a group 'x'; there are: to, from", file.display());
        assert_eq!(list, [wanted]);
        fs::remove_dir_all(&dir).expect("scratch is ours");
    }
}
