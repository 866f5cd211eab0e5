# For other scripts to source: packages of Debian 13, unpacked without installing them.

# debian13 COMPONENT FOLDER PACKAGE...: downloads packages of a component (main, non-free) into FOLDER, as .deb files. Says why it could not, with 1.
debian13() {
    local component=$1 folder=$2 tool
    shift 2
    for tool in apt-get dpkg-deb timeout; do
        command -v $tool > /dev/null || { echo "without $tool nothing is to be had from Debian"; return 1; }
    done
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    echo "deb http://deb.debian.org/debian trixie $component" > "$folder/sources.list"
    debian13_apt "$folder" update || { echo "Debian 13's list of packages could not be read"; return 1; }
    debian13_apt "$folder" download "$@" || { echo "Debian 13's $* could not be downloaded"; return 1; }
}

debian13_apt() {
    local folder=$1
    shift
    (cd "$folder" && timeout 240 apt-get -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$folder/lists" \
        -o Dir::Cache="$folder/cache" -o Dir::State::status=/dev/null -o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=- -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=1 -o Acquire::http::Timeout=20 \
        -o APT::Update::Error-Mode=any "$@" > /dev/null 2>&1)
}
