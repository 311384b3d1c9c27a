# Runs commands in sections, each with a limit of time and a log, and adds up what cargo's tests and ctest counted.
# Sourced by scripts that have set `logs` to a folder.
# shellcheck shell=bash

: "${logs:?a folder for the output of each section}"
passed=0 failed=0 skipped=0
summary=()
# 1: a section that fails does not end the run.
go_on=0

# Adds up the lines "test result: ok. 3 passed; 0 failed; 1 ignored; …" of a log.
count_cargo() {
    local numbers
    numbers=$(awk '/^test result: / {
        for (field = 2; field <= NF; field++) {
            if ($field ~ /^passed/) passed += $(field - 1)
            if ($field ~ /^failed/) failed += $(field - 1)
            if ($field ~ /^ignored/) skipped += $(field - 1)
        }
    } END { print passed + 0, failed + 0, skipped + 0 }' "$1")
    add_counts "$numbers"
}

# Reads the head of the report that ctest writes.
count_ctest() {
    local report=$1 tests failures skips disabled
    [[ -s $report ]] || return 0
    attribute() { grep -m 1 -oE "(^|[[:space:]])$1=\"[0-9]+\"" "$report" | tr -dc '0-9'; }
    tests=$(attribute tests) failures=$(attribute failures) skips=$(attribute skipped) disabled=$(attribute disabled)
    skips=$((${skips:-0} + ${disabled:-0}))
    add_counts "$((${tests:-0} - ${failures:-0} - skips)) ${failures:-0} $skips"
}

add_counts() {
    local more_passed more_failed more_skipped
    read -r more_passed more_failed more_skipped <<<"$1"
    passed=$((passed + more_passed)) failed=$((failed + more_failed)) skipped=$((skipped + more_skipped))
}

finish() {
    local line
    printf '\n=== summary\n'
    for line in "${summary[@]}"; do
        printf '%s\n' "$line"
    done
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
}

# section <title> <seconds> <how to count: none, cargo, or the report that ctest writes> <command...>
# A command that ends with 77 could not run on this machine: it counts as skipped.
section() {
    local title=$1 limit=$2 count=$3 started=$SECONDS status=0 log failed_before=$failed
    shift 3
    log="$logs/${title//[^a-z]/-}.log"
    printf '\n=== %s\n' "$title"
    timeout --kill-after=10 "$limit" "$@" 2>&1 </dev/null | tee "$log" || status=${PIPESTATUS[0]}
    case $count in
        cargo) count_cargo "$log" ;;
        *.xml) count_ctest "$count" ;;
    esac
    if ((status == 77)); then
        skipped=$((skipped + 1))
        summary+=("skipped $title ($((SECONDS - started)) s); the reason is in $log")
        return 0
    fi
    if ((status)); then
        if ((status == 124 || status == 137)); then
            printf '%s was ended after %s seconds\n' "$title" "$limit"
        fi
        # A section that fails without a failed test, such as one that does not compile, is one failure.
        if ((failed == failed_before)); then
            failed=$((failed + 1))
        fi
        summary+=("FAILED  $title ($((SECONDS - started)) s); its output is in $log")
        if ((go_on)); then
            return 0
        fi
        finish
        exit 1
    fi
    summary+=("passed  $title ($((SECONDS - started)) s)")
}
