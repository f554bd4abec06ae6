//! Where Debian's archive can be had: from the mirrors that this machine's apt uses for it, else from Debian itself.

use crate::sh;

/// What Debian itself offers, for machines that run something else or whose mirror has not every suite.
const DEBIAN: &str = "http://deb.debian.org/debian";
const SECURITY: &str = "http://deb.debian.org/debian-security";

/// Addresses of Debian's archive (or of its security archive), the machine's own first.
///
/// apt says whose archive an address is by the archive's signed Release file: other archives end in "/debian" too, and a list
/// of mirrors (`mirror+file:`) does not.
pub fn all(security: bool) -> Vec<String> {
    let format = "$(REPO_URI)|$(ORIGIN)|$(LABEL)";
    let mut targets = sh::cmd("apt-get");
    targets.args(["indextargets", "--format", format, "Created-By: Packages"]);
    // Without lists it says nothing, and ends with 0.
    pick(&sh::read(&mut targets).unwrap_or_default(), security)
}

fn pick(targets: &str, security: bool) -> Vec<String> {
    let (label, debian) = if security { ("Debian-Security", SECURITY) } else { ("Debian", DEBIAN) };
    let mut found = Vec::new();
    for target in targets.lines() {
        let Some([address, origin, named]) = fields(target) else { continue };
        // A medium has what is on it, and no other suite.
        if origin == "Debian" && named == label && !address.starts_with("cdrom:") {
            found.push(address.trim_end_matches('/').to_owned());
        }
    }
    found.push(debian.to_owned());
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|address| seen.insert(address.clone()));
    found
}

fn fields(target: &str) -> Option<[&str; 3]> {
    target.split('|').collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_debians_by_its_origin() {
        let targets = "https://download.docker.com/linux/debian/|Docker|Docker CE\n\
                       http://m.example/debian/|Debian|Debian\n\
                       http://m.example/debian/|Debian|Debian\n\
                       http://m.example/debian/|Debian Backports|Debian Backports\n\
                       http://m.example/debian-security/|Debian|Debian-Security\n";
        assert_eq!(pick(targets, false), ["http://m.example/debian", DEBIAN]);
        assert_eq!(pick(targets, true), ["http://m.example/debian-security", SECURITY]);
    }

    #[test]
    fn a_cloud_images_list_of_mirrors_is_handed_on() {
        let targets = "mirror+file:/etc/apt/mirrors/debian.list/|Debian|Debian\n\
                       mirror+file:/etc/apt/mirrors/debian-security.list/|Debian|Debian-Security\n";
        assert_eq!(pick(targets, false), ["mirror+file:/etc/apt/mirrors/debian.list", DEBIAN]);
        assert_eq!(pick(targets, true)[0], "mirror+file:/etc/apt/mirrors/debian-security.list");
    }

    #[test]
    fn where_there_is_no_mirror_debian_itself_is_asked() {
        let ubuntu = "http://archive.ubuntu.com/ubuntu/|Ubuntu|Ubuntu\nhttp://security.ubuntu.com/ubuntu/|Ubuntu|Ubuntu\n";
        assert_eq!(pick(ubuntu, false), [DEBIAN]);
        assert_eq!(pick(ubuntu, true), [SECURITY]);
        assert_eq!(
            pick("cdrom:[Debian 12]/|Debian|Debian\nhttp://deb.debian.org/debian/|Debian|Debian\n", false),
            [DEBIAN]
        );
        assert_eq!(pick("", false), [DEBIAN]);
    }
}
