//! Where Debian's archive can be had: from the mirrors that this machine's apt uses for it, else from where python-apt's
//! description of Debian says.

use crate::sh;
use std::fs;

/// What describes Debian on machines that run something else, or whose mirror has not every suite (python-apt-common).
const DESCRIPTION: &str = "/usr/share/python-apt/templates/Debian.info";

/// Addresses of Debian's archive (or of its security archive), the machine's own first.
///
/// apt says whose archive an address is by the archive's signed Release file: other archives end in "/debian" too, and a list
/// of mirrors (`mirror+file:`) does not.
pub fn all(security: bool) -> Vec<String> {
    let format = "$(REPO_URI)|$(ORIGIN)|$(LABEL)";
    let mut targets = sh::cmd("apt-get");
    targets.args(["indextargets", "--format", format, "Created-By: Packages"]);
    let description = fs::read_to_string(DESCRIPTION).unwrap_or_default();
    // Without lists it says nothing, and ends with 0.
    pick(&sh::read(&mut targets).unwrap_or_default(), &description, security)
}

fn pick(targets: &str, description: &str, security: bool) -> Vec<String> {
    let label = if security { "Debian-Security" } else { "Debian" };
    let mut found = Vec::new();
    for target in targets.lines() {
        let Some([address, origin, named]) = fields(target) else { continue };
        // A medium has what is on it, and no other suite.
        if origin == "Debian" && named == label && !address.starts_with("cdrom:") {
            found.push(address.trim_end_matches('/').to_owned());
        }
    }
    found.extend(described(description, security));
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|address| seen.insert(address.clone()));
    found
}

/// The address of the first suite in the description that is one for security, or none.
fn described(description: &str, security: bool) -> Option<String> {
    let mut suite = "";
    for line in description.lines() {
        match line.split_once(": ") {
            Some(("Suite", name)) => suite = name,
            Some(("BaseURI", base)) if suite.ends_with("-security") == security => {
                return Some(base.trim().trim_end_matches('/').to_owned());
            }
            _ => {}
        }
    }
    None
}

fn fields(target: &str) -> Option<[&str; 3]> {
    target.split('|').collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "http://d.example/debian";
    const SECURITY: &str = "http://s.example";
    const INFO: &str = "Suite: bookworm\nBaseURI: http://d.example/debian/\nDescription: x\n\nSuite: bookworm-security\n\
                        BaseURI: http://s.example/\n";

    #[test]
    fn an_archive_is_debians_by_its_origin() {
        let targets = "https://docker.example/linux/debian/|Docker|Docker CE\n\
                       http://m.example/debian/|Debian|Debian\n\
                       http://m.example/debian/|Debian|Debian\n\
                       http://m.example/debian/|Debian Backports|Debian Backports\n\
                       http://m.example/debian-security/|Debian|Debian-Security\n";
        assert_eq!(pick(targets, INFO, false), ["http://m.example/debian", DEBIAN]);
        assert_eq!(pick(targets, INFO, true), ["http://m.example/debian-security", SECURITY]);
        assert_eq!(pick(targets, "", false), ["http://m.example/debian"]);
    }

    #[test]
    fn a_cloud_images_list_of_mirrors_is_handed_on() {
        let targets = "mirror+file:/etc/apt/mirrors/debian.list/|Debian|Debian\n\
                       mirror+file:/etc/apt/mirrors/debian-security.list/|Debian|Debian-Security\n";
        assert_eq!(pick(targets, INFO, false), ["mirror+file:/etc/apt/mirrors/debian.list", DEBIAN]);
        assert_eq!(pick(targets, INFO, true)[0], "mirror+file:/etc/apt/mirrors/debian-security.list");
    }

    #[test]
    fn where_there_is_no_mirror_the_description_of_debian_is_asked() {
        let ubuntu = "http://u.example/ubuntu/|Ubuntu|Ubuntu\n";
        assert_eq!(pick(ubuntu, INFO, false), [DEBIAN]);
        assert_eq!(pick(ubuntu, INFO, true), [SECURITY]);
        assert_eq!(pick("cdrom:[Debian 12]/|Debian|Debian\n", INFO, false), [DEBIAN]);
        assert!(pick("", "", false).is_empty());
    }
}
