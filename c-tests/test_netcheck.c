/* The network check: what it says of servers on this machine, and what it takes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

/* One result of each kind as it came, and what was told of it in words. */
typedef struct {
    unsigned nats, names, ports, findings, findings_of_udp, summaries;
    mcc_netcheck_name_t name;
    mcc_netcheck_port_t tcp;
    mcc_netcheck_port_t udp;
    mcc_netcheck_finding_t gravest;
    mcc_netcheck_summary_t summary;
    char issuer[200], expected[200], what[1000], what_to_do[1000], address[80];
    uint8_t first_bytes[64];
} outcome_t;

static void copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from == NULL ? "" : from);
}

static void note(void *argument, const mcc_netcheck_result_t *result)
{
    outcome_t *outcome = argument;
    assert_int_equal(outcome->summaries, 0);
    switch (result->type) {
    case MCC_NETCHECK_NAT:
        outcome->nats++;
        assert_non_null(result->data.nat.address);
        break;
    case MCC_NETCHECK_NAME:
        outcome->names++;
        outcome->name = result->data.name;
        if (result->data.name.address_count > 0) {
            copy(outcome->address, sizeof outcome->address, result->data.name.addresses[0]);
        }
        break;
    case MCC_NETCHECK_PORT:
        outcome->ports++;
        if (result->data.port.udp) {
            outcome->udp = result->data.port;
        } else {
            outcome->tcp = result->data.port;
            copy(outcome->issuer, sizeof outcome->issuer, result->data.port.issuer);
            copy(outcome->expected, sizeof outcome->expected, result->data.port.expected_issuer);
            if (result->data.port.first_bytes_size > 0) {
                memcpy(outcome->first_bytes, result->data.port.first_bytes, result->data.port.first_bytes_size);
            }
        }
        break;
    case MCC_NETCHECK_FINDING:
        if (outcome->findings++ == 0) {
            outcome->gravest = result->data.finding;
            copy(outcome->what, sizeof outcome->what, result->data.finding.what);
            copy(outcome->what_to_do, sizeof outcome->what_to_do, result->data.finding.what_to_do);
        }
        outcome->findings_of_udp += result->data.finding.udp;
        assert_true(result->data.finding.port != 0 || !result->data.finding.udp);
        assert_true(result->data.finding.severity <= outcome->gravest.severity);
        break;
    case MCC_NETCHECK_SUMMARY:
        outcome->summaries++;
        outcome->summary = result->data.summary;
        break;
    }
}

/* Checks these options and expects the results of one endpoint. */
static outcome_t check(mcc_netcheck_options_t options)
{
    outcome_t outcome;
    memset(&outcome, 0, sizeof outcome);
    options.allow_private_addresses = 1;
    uint64_t started = milliseconds_now();
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_OK);
    assert_true(milliseconds_now() - started < options.timeout_ms + SOON_MS);
    assert_int_equal(outcome.nats, 1);
    assert_int_equal(outcome.names, 1);
    assert_int_equal(outcome.summaries, 1);
    return outcome;
}

static outcome_t check_endpoint(const mcc_netcheck_endpoint_t *endpoint)
{
    mcc_netcheck_options_t options = MCC_NETCHECK_OPTIONS_INIT;
    options.endpoints = &endpoint;
    options.endpoint_count = 1;
    return check(options);
}

static mcc_netcheck_endpoint_t endpoint_at(const char *host, const peer_t *peer)
{
    mcc_netcheck_endpoint_t endpoint = MCC_NETCHECK_ENDPOINT_INIT;
    endpoint.host = host;
    endpoint.tcp_port = peer_port(peer);
    endpoint.expected_issuer = "CN=Tests: ca";
    return endpoint;
}

static void a_genuine_server_is_genuine_and_all_is_well(void **state)
{
    peer_t *peer = start_tls_peer(*state, "server");
    mcc_netcheck_endpoint_t endpoint = endpoint_at("127.0.0.1", peer);
    outcome_t outcome = check_endpoint(&endpoint);
    assert_int_equal(outcome.name.verdict, MCC_NETCHECK_NAME_IS_ADDRESS);
    assert_string_equal(outcome.address, "127.0.0.1");
    assert_int_equal(outcome.ports, 1);
    assert_int_equal(outcome.tcp.reach, MCC_NETCHECK_REACH_OPEN);
    assert_int_equal(outcome.tcp.port, peer_port(peer));
    assert_int_equal(outcome.tcp.tls, MCC_NETCHECK_TLS_GENUINE);
    assert_non_null(strstr(outcome.issuer, "Tests: ca"));
    assert_int_equal(outcome.tcp.coap, MCC_NETCHECK_COAP_NONE);
    assert_true(outcome.summary.severity <= MCC_NETCHECK_NOTE);
}

static void another_issuer_is_somebody_who_opens_tls(void **state)
{
    peer_t *peer = start_tls_peer(*state, "untrusted");
    mcc_netcheck_endpoint_t endpoint = endpoint_at("127.0.0.1", peer);
    outcome_t outcome = check_endpoint(&endpoint);
    assert_int_equal(outcome.tcp.tls, MCC_NETCHECK_TLS_INTERCEPTED);
    assert_non_null(strstr(outcome.issuer, "Tests: other-ca"));
    assert_non_null(strstr(outcome.expected, "Tests: ca"));
    assert_int_equal(outcome.summary.severity, MCC_NETCHECK_STOPS);
    assert_int_equal(outcome.gravest.severity, MCC_NETCHECK_STOPS);
    assert_int_equal(outcome.gravest.kind, MCC_NETCHECK_KIND_INTERCEPTED);
    /* The same reason that a connection gives. */
    assert_int_equal(outcome.gravest.error_class, MCC_CLASS_INTERCEPTED);
    assert_int_equal(mcc_status_class(MCC_ERR_INTERCEPTED), MCC_CLASS_INTERCEPTED);
    assert_int_equal(outcome.gravest.port, peer_port(peer));
    assert_int_equal(outcome.gravest.udp, 0);
    assert_non_null(strstr(outcome.what, "Tests: other-ca"));
    assert_non_null(strstr(outcome.what_to_do, "127.0.0.1"));
}

static void a_port_that_nobody_has_is_refused_and_stops_the_device(void **state)
{
    (void)state;
    mcc_netcheck_endpoint_t endpoint = MCC_NETCHECK_ENDPOINT_INIT;
    endpoint.host = "127.0.0.1";
    endpoint.tcp_port = endpoint.udp_port = free_port();
    outcome_t outcome = check_endpoint(&endpoint);
    assert_int_equal(outcome.ports, 2);
    assert_int_equal(outcome.tcp.reach, MCC_NETCHECK_REACH_REFUSED);
    assert_int_equal(outcome.tcp.tls, MCC_NETCHECK_TLS_NONE);
    assert_int_equal(outcome.udp.reach, MCC_NETCHECK_REACH_UNREACHABLE);
    assert_true(outcome.udp.error_number > 0);
    assert_int_equal(outcome.summary.severity, MCC_NETCHECK_STOPS);
    assert_int_equal(outcome.gravest.kind, MCC_NETCHECK_KIND_REFUSED);
    assert_int_equal(outcome.gravest.error_class, MCC_CLASS_REFUSED);
    assert_true(strlen(outcome.what) > 0);
    assert_true(strlen(outcome.what_to_do) > 0);
}

static void without_descriptors_nothing_is_blamed_on_the_network(void **state)
{
    (void)state;
    mcc_netcheck_endpoint_t endpoint = MCC_NETCHECK_ENDPOINT_INIT;
    endpoint.host = "service.test";
    endpoint.tcp_port = 5684;
    const mcc_netcheck_endpoint_t *endpoints[] = {&endpoint};
    static const char *const resolvers[] = {"127.0.0.1:9"};
    mcc_netcheck_options_t options = MCC_NETCHECK_OPTIONS_INIT;
    options.endpoints = endpoints;
    options.endpoint_count = 1;
    options.resolvers = resolvers;
    options.resolver_count = 1;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    outcome_t outcome = check(options);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(outcome.name.verdict, MCC_NETCHECK_NAME_NOT_TRIED);
    assert_int_equal(outcome.name.error_number, EMFILE);
    assert_int_equal(outcome.gravest.kind, MCC_NETCHECK_KIND_NOT_TRIED);
    assert_int_equal(outcome.gravest.error_class, MCC_CLASS_RESOURCE);
    /* With them again, nobody answers at that port. */
    outcome = check(options);
    assert_int_equal(outcome.name.verdict, MCC_NETCHECK_NAME_NO_ANSWER);
    assert_int_equal(outcome.name.error_number, 0);
}

static void dtls_is_seen_to_answer(void **state)
{
    peer_t *peer = start_dtls_peer(*state, "server");
    mcc_netcheck_endpoint_t endpoint = MCC_NETCHECK_ENDPOINT_INIT;
    endpoint.host = "127.0.0.1";
    endpoint.udp_port = peer_port(peer);
    outcome_t outcome = check_endpoint(&endpoint);
    assert_int_equal(outcome.ports, 1);
    assert_int_equal(outcome.udp.reach, MCC_NETCHECK_REACH_OPEN);
    assert_true(outcome.udp.round_trip_us > 0);
    assert_true(outcome.summary.severity <= MCC_NETCHECK_NOTE);
}

static void a_server_that_takes_the_device_answers_a_ping(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_tls_peer(fixture, "server");
    mcc_netcheck_endpoint_t endpoint = endpoint_at("localhost", peer);
    endpoint.coap = 1;
    const mcc_netcheck_endpoint_t *endpoints[] = {&endpoint};
    mcc_netcheck_options_t options = MCC_NETCHECK_OPTIONS_INIT;
    options.endpoints = endpoints;
    options.endpoint_count = 1;
    options.ca = read_certificate(fixture, "ca.pem", &options.ca_size);
    options.certificate = read_certificate(fixture, "client.pem", &options.certificate_size);
    options.key = read_certificate(fixture, "client.key", &options.key_size);
    outcome_t outcome = check(options);
    assert_int_equal(outcome.tcp.tls, MCC_NETCHECK_TLS_GENUINE);
    assert_int_equal(outcome.tcp.coap, MCC_NETCHECK_COAP_ANSWERED);
    assert_true(outcome.tcp.ping_round_trip_us > 0);
    peer_await_count(peer, "ping", 1);
}

static void what_cannot_be_checked_is_an_error_and_tells_nothing(void **state)
{
    fixture_t *fixture = *state;
    outcome_t outcome;
    memset(&outcome, 0, sizeof outcome);
    assert_status(mcc_netcheck_run(NULL, NULL, NULL), MCC_ERR_NULL_POINTER);

    mcc_netcheck_endpoint_t endpoint = MCC_NETCHECK_ENDPOINT_INIT;
    const mcc_netcheck_endpoint_t *endpoints[] = {&endpoint};
    mcc_netcheck_options_t options = MCC_NETCHECK_OPTIONS_INIT;
    options.endpoints = endpoints;
    options.endpoint_count = 1;
    endpoint.tcp_port = 1;
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_NULL_POINTER);
    endpoint.host = "";
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_URI_HOST);
    char long_host[301];
    memset(long_host, 'a', sizeof long_host - 1);
    long_host[sizeof long_host - 1] = '\0';
    endpoint.host = long_host;
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_URI_HOST);
    endpoint.host = "127.0.0.1";
    endpoint.tcp_port = 0;
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_INVALID_ARGUMENT);
    endpoint.tcp_port = 1;
    endpoint.expected_issuer = "nobody";
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_INVALID_ARGUMENT);
    endpoint.expected_issuer = NULL;
    endpoint.coap = 2;
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_INVALID_ARGUMENT);
    endpoint.coap = 0;
    endpoint.size = 3;
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_INVALID_ARGUMENT);
    endpoint.size = sizeof endpoint;
    endpoints[0] = NULL;
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_NULL_POINTER);
    endpoints[0] = &endpoint;
    options.endpoints = NULL;
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_NULL_POINTER);
    options.endpoint_count = 0;
    options.region = "nowhere";
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_INVALID_ARGUMENT);
    options.region = NULL;
    options.endpoints = endpoints;
    options.endpoint_count = 1;

    const char *resolvers[] = {"localhost"};
    options.resolvers = resolvers;
    options.resolver_count = 1;
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_INVALID_ARGUMENT);
    resolvers[0] = "192.0.2.53:0";
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_INVALID_ARGUMENT);
    options.resolver_count = 0;
    options.timeout_ms = 99;
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_INVALID_ARGUMENT);
    options.timeout_ms = 14000;

    options.ca = (const uint8_t *)"garbage";
    options.ca_size = 7;
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_CA_INVALID);
    options.ca_size = 0;
    options.certificate = read_certificate(fixture, "client.pem", &options.certificate_size);
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_KEY_INVALID);
    options.key = read_certificate(fixture, "server.key", &options.key_size);
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_KEY_MISMATCH);
    options.certificate_size = 0;
    assert_status(mcc_netcheck_run(&options, note, &outcome), MCC_ERR_CERTIFICATE_INVALID);
    assert_int_equal(outcome.nats + outcome.names + outcome.ports + outcome.findings + outcome.summaries, 0);
}

static void run_once_more(void *argument, const mcc_netcheck_result_t *result)
{
    if (result->type == MCC_NETCHECK_SUMMARY) {
        mcc_netcheck_endpoint_t endpoint = MCC_NETCHECK_ENDPOINT_INIT;
        endpoint.host = "127.0.0.1";
        endpoint.tcp_port = *(const uint16_t *)argument;
        outcome_t inner = check_endpoint(&endpoint);
        assert_int_equal(inner.tcp.reach, MCC_NETCHECK_REACH_REFUSED);
        *(uint16_t *)argument = 0;
    }
}

static void a_check_leaves_nothing_behind_and_can_be_run_from_its_own_callback(void **state)
{
    (void)state;
    uint16_t port = free_port();
    mcc_netcheck_endpoint_t endpoint = MCC_NETCHECK_ENDPOINT_INIT;
    endpoint.host = "127.0.0.1";
    endpoint.tcp_port = port;
    (void)check_endpoint(&endpoint);
    size_t descriptors = count_descriptors();
    const mcc_netcheck_endpoint_t *endpoints[] = {&endpoint};
    mcc_netcheck_options_t options = MCC_NETCHECK_OPTIONS_INIT;
    options.endpoints = endpoints;
    options.endpoint_count = 1;
    assert_status(mcc_netcheck_run(&options, run_once_more, &port), MCC_OK);
    assert_int_equal(port, 0);
    assert_int_equal(count_descriptors(), descriptors);
    uint64_t until = milliseconds_now() + SOON_MS;
    while (count_threads() > 1 && milliseconds_now() < until) {
        sleep_ms(2);
    }
    assert_int_equal(count_threads(), 1);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_genuine_server_is_genuine_and_all_is_well, setup, teardown),
        cmocka_unit_test_setup_teardown(another_issuer_is_somebody_who_opens_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(a_port_that_nobody_has_is_refused_and_stops_the_device, setup, teardown),
        cmocka_unit_test(without_descriptors_nothing_is_blamed_on_the_network),
        cmocka_unit_test_setup_teardown(dtls_is_seen_to_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_takes_the_device_answers_a_ping, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_checked_is_an_error_and_tells_nothing, setup, teardown),
        cmocka_unit_test(a_check_leaves_nothing_behind_and_can_be_run_from_its_own_callback),
    };
    return run_chosen_tests(tests, count, arguments);
}
