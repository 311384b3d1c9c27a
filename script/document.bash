# Keeps parts of documents that scripts write. Sourced; whoever does so has a function `fail` that says why and ends the script.
# shellcheck shell=bash

# write_document DOCUMENT NAME FILE: puts the file between the two lines of the document that begin and end the part of this name.
write_document() {
    local document=$1 begin="<!-- $2: begin -->" end="<!-- $2: end -->" line whole
    for line in "$begin" "$end"; do
        grep -qxF -- "$line" "$document" || fail "$document lacks the line \"$line\""
    done
    whole=$(awk -v begin="$begin" -v end="$end" -v part="$3" '
        $0 == end { inside = 0 }
        !inside { print }
        $0 == begin { inside = 1; print ""; while ((getline line < part) > 0) print line; print "" }
    ' "$document")
    # Written only when it is whole.
    printf '%s\n' "$whole" >"$document"
}
