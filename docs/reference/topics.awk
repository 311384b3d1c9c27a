# Turns a header's comments into doxygen's, for script/reference: one header in, the same lines out.
#   - // before an item, and /* */ on one line before a macro or a type, become ///.
#   - Each item says which topic of topics.dox it belongs to, by its name.
#   - `name` of an item becomes a link, also in a page of Markdown; a name of this interface that is no item is an error.
# First the list of names (NAMES=collect, printed), then the text (NAMES=<file>, and OTHERS=<file>: names that can stand alone).

function fail(text) {
    printf "%s:%d: error: %s\n", FILENAME, i, text > "/dev/stderr"
    failed = 1
}

function topic(name) {
    if (name ~ /^mcc_pal_/) return "pal"
    if (name ~ /^(MCC_TLS_|mcc_tls_)/) return "tls"
    if (name ~ /^(MCC_EVENT|mcc_event|mcc_state_t)/) return "events"
    if (name ~ /^(MCC_CONNECTION|mcc_connection|MCC_KEEPALIVE_STATE|mcc_transport_t|mcc_framing_t)/) return "connection"
    if (name ~ /^(MCC_CONTEXT|mcc_context)/) return "context"
    if (name ~ /^mcc_keepalive_interval_/) return "build"
    if (name ~ /^mcc_version$/) return "build"
    if (name ~ /^(MCC_KEEPALIVE|mcc_keepalive)/) return "keepalive"
    if (name ~ /^mcc_coap_ping/) return "ping"
    if (name ~ /^mcc_log/) return "log"
    if (name ~ /^(mcc_status|mcc_error_class)/) return "status"
    if (name ~ /^(MCC_NETCHECK|mcc_netcheck)/) return "netcheck"
    if (name ~ /^(palStatus_t|palError_t|PAL_ERR_)/) return "pal_status"
    if (name ~ /(Tls|TLS|CID|cid|SSL|Ssl|ssl|[hH]and[sS]hake|CipherSuite|PrivateKey|CAChain|CertChain|PSK|X509|Entropy|palSocketCallback_f|Random)/) return "pal_tls"
    if (name ~ /(AddressInfo|addressinfo|AddrInfo|DNS)/) return "pal_lookup"
    if (name ~ /(NetworkInterface|NetInterface|NET_|palNetworkStatus|[cC]onnectionStatusCallback|RttEstimate|StaggerEstimate)/) return "pal_interface"
    if (name ~ /(SockAddr|palIpV|palSocketAddress_t|palSocketDomain_t|palSocketLength_t)/) return "pal_address"
    if (name ~ /^(pal_|pal[A-Z])/) return "pal_socket"
    return ""
}

# The name that a declaration beginning at this line declares; "" where it is on a later line.
function declared(line,   name) {
    if (match(line, /^#define [A-Za-z_0-9]+/)) return substr(line, 9, RLENGTH - 8)
    if (match(line, /^enum [a-z_0-9]+/)) return substr(line, 6, RLENGTH - 5)
    if (match(line, /^typedef (struct|union) [a-z_0-9]+/)) { name = substr(line, 1, RLENGTH); sub(/.* /, "", name); return name }
    if (match(line, /\(\*[A-Za-z_0-9]+\)\(/)) return substr(line, RSTART + 2, RLENGTH - 4)
    if (line ~ /^typedef .*;$/) { name = line; sub(/(\[[0-9]+\])?;$/, "", name); sub(/.*[ *]/, "", name); return name }
    if (line ~ /^} [A-Za-z_0-9]+;$/) { name = substr(line, 3); sub(/;$/, "", name); return name }
    if (line !~ /^typedef/ && match(line, /[A-Za-z_0-9]+\(/)) return substr(line, RSTART, RLENGTH - 1)
    return ""
}

# Links for the names between backticks.
function linked(line,   before, name, result) {
    result = ""
    while (match(line, /`[^`]*`/)) {
        before = substr(line, 1, RSTART - 1)
        name = substr(line, RSTART + 1, RLENGTH - 2)
        line = substr(line, RSTART + RLENGTH)
        if (name in names)
            name = "<code>@ref " name " \"" name "\"</code>"
        else if (name ~ /^(mcc|MCC|pal|PAL)_[A-Za-z0-9_]*$/ && !(name in others))
            fail("`" name "` is neither an item of the headers nor a setting nor a function of the client")
        else
            name = "`" name "`"
        result = result before name
    }
    return result line
}

# What a type of the same name is that comes after this line, as a paragraph; "" where there is none.
function other_version(name, line,   k, text, type, versions) {
    for (k = line + 1; k <= FNR && !(lines[k] ~ /^typedef/ && declared(lines[k]) == name); k++);
    if (k > FNR) return ""
    type = lines[k]
    for (line = k; type !~ /;$/;) {
        sub(/^ +/, "", lines[++line])
        type = type " " lines[line]
    }
    for (line = k - 1; lines[line] ~ /^\/\//; line--) text = linked(substr(lines[line], 4)) " " text
    versions = lines[line]
    gsub(/[^0-9]+/, "", versions)
    return " @note Where `PAL_DNS_API_VERSION` is " versions " it is `" type "` " text
}

BEGIN {
    if (NAMES != "collect") {
        while ((getline line < NAMES) > 0) names[line] = 1
        while ((getline line < OTHERS) > 0) others[line] = 1
    }
}

{ lines[FNR] = $0 }

END {
    for (i = 1; i <= FNR; i++) {
        line = lines[i]
        if (NAMES == "collect") {
            if (match(line, /^    [A-Z][A-Z0-9_]+ = -?[0-9]+,$/)) { sub(/^ +/, "", line); sub(/ .*/, "", line); print line }
            else if (line !~ /^(#define (MCC_PAL_|MBED)|\/)/ && (name = declared(line)) ~ /^(mcc|MCC|pal|PAL|connectionStatusCallback)/) print name
            continue
        }
        if (FILENAME ~ /\.md$/) {
            if (line ~ /^```/) code = !code
            output[i] = code ? line : linked(line)
            continue
        }
        if (line ~ /^\/\* .* \*\/$/ && lines[i + 1] ~ /^(#define|#ifndef|typedef)/)
            line = "// " substr(line, 4, length(line) - 6)
        if (line ~ /^ *\/\/( |$)/) {
            sub(/\/\//, "///", line)
            line = linked(line)
            if (line ~ /^\/\/\// && lines[i + 1] !~ /^\/\//) {
                # The end of an item's comment.
                for (j = i + 1; j <= FNR && (name = declared(lines[j])) == ""; j++);
                group = topic(name)
                if (group == "") fail(name " belongs to no topic: see topics.awk")
                for (first = i; lines[first - 1] ~ /^\/\//; first--);
                if (lines[first - 1] ~ /^#if .*MCC_PAL_DNS_API_VERSION/) {
                    versions = lines[first - 1]
                    gsub(/[^0-9]+/, " ", versions)
                    sub(/^ /, "", versions)
                    sub(/ $/, "", versions)
                    sub(/ /, " or ", versions)
                    line = line " @note Only where `PAL_DNS_API_VERSION` is " versions "."
                }
                # Doxygen knows one type of a name: what the other version of it is stands with this one.
                if (lines[j] ~ /^typedef/) {
                    if (name in described) {
                        for (k = first; k < j; k++) output[k] = ""
                        for (k = j; lines[k] !~ /;$/; k++) lines[k] = ""
                        lines[k] = line = ""
                        i = k
                        continue
                    }
                    described[name] = 1
                    line = line other_version(name, j)
                }
                line = line " @ingroup " group
            }
        }
        output[i] = line
    }
    for (i = 1; i <= FNR && NAMES != "collect"; i++) print output[i]
    exit failed
}
