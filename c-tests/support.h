/* What the C tests share: peers, connections whose events are recorded, messages, facts about this process.
 *
 * Every wait has a deadline and fails the test when it passes. What a fixture has made ends with it, after a failure too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MCC_TESTS_SUPPORT_H
#define MCC_TESTS_SUPPORT_H

#include <mbed_cloud_connectivity.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

/* How long anything that should happen soon may take on a loaded machine. */
enum { SOON_MS = 15000 };
/* How much later than it happens something may be noted there: what begins late seems to be short. */
enum { LATE_MS = 200 };

/* Runs the tests; a first argument of the program chooses those whose names match it, of which there has to be one. */
#define run_chosen_tests(tests, count, arguments) \
    (choose_tests(tests, sizeof(tests) / sizeof((tests)[0]), count, arguments), cmocka_run_group_tests(tests, NULL, NULL))
void choose_tests(const struct CMUnitTest *tests, size_t test_count, int count, char **arguments);

/* ---- time ---- */

uint64_t milliseconds_now(void);
void sleep_ms(unsigned milliseconds);

/* ---- events ---- */

/* One event as it came. */
typedef struct {
    mcc_event_type_t type;
    mcc_connection_t *connection;
    uint64_t at_ms;
    mcc_event_state_t state;
    mcc_status_t reason;
    uint64_t ticket;
    uint64_t round_trip_us;
    uint8_t *message;
    size_t message_size;
} record_t;

typedef struct recorder recorder_t;

/* Called in the callback, before the event is recorded. */
typedef void (*reaction_t)(void *argument, const mcc_event_t *event);

/* The next event of this type that has not been looked at; what came before it is passed over. Fails if none comes in time. */
const record_t *await_event(recorder_t *recorder, mcc_event_type_t type);
/* The same for a state; fails at once at MCC_STATE_CLOSED if that is not the one. */
const record_t *await_state(recorder_t *recorder, mcc_state_t state);
/* As await_event, or NULL after the time. */
const record_t *try_event(recorder_t *recorder, mcc_event_type_t type, unsigned timeout_ms);
/* Fails if an event of this type comes within the time. */
void expect_no_event(recorder_t *recorder, mcc_event_type_t type, unsigned within_ms);
/* Waits until at least so many events of this type have come since the beginning. */
void await_count(recorder_t *recorder, mcc_event_type_t type, size_t count);
size_t count_events(recorder_t *recorder, mcc_event_type_t type);
size_t count_states(recorder_t *recorder, mcc_state_t state);
/* How often this ticket was reported as sent or failed. */
size_t count_reports(recorder_t *recorder, uint64_t ticket);
/* The event with this number, from 0; NULL behind the last. */
const record_t *event_at(recorder_t *recorder, size_t index);

/* The callback that records; its argument is the recorder. */
void record_event(void *argument, const mcc_event_t *event);

/* ---- peers ---- */

typedef struct peer peer_t;

uint16_t peer_port(const peer_t *peer);
/* What options_for leaves at TCP: UDP for a coap_peer with --udp or --dtls. */
uint32_t peer_transport(const peer_t *peer);
/* Writes bytes to a program's standard input. */
void peer_write(peer_t *peer, const void *bytes, size_t size);
/* Sends a command to a coap_peer and waits until it is done. */
void peer_command(peer_t *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next line that begins so; what came before it is passed over. */
const char *peer_await(peer_t *peer, const char *beginning);
/* How many lines so far begin so; what it has just done may not have been read yet. */
size_t peer_count(peer_t *peer, const char *beginning);
/* Waits until so many lines begin so, and expects that they are not more. */
void peer_await_count(peer_t *peer, const char *beginning, size_t count);

/* ---- fixtures ---- */

typedef struct fixture fixture_t;

/* A context with its own thread, or without. */
int setup(void **state);
int setup_driven(void **state);
int teardown(void **state);

mcc_context_t *context_of(fixture_t *fixture);
/* Frees the context before the test ends. */
void free_context(fixture_t *fixture);

/* Starts coap_peer with these arguments, the last of which is NULL. */
peer_t *start_peer(fixture_t *fixture, ...) __attribute__((sentinel));
/* Any program that says `listening PORT` when it is ready, as coap_peer does. */
peer_t *start_peer_program(fixture_t *fixture, const char *program, ...) __attribute__((sentinel));
/* coap_peer --tls or --dtls with a certificate of the tests, such as "server". */
peer_t *start_tls_peer(fixture_t *fixture, const char *certificate);
peer_t *start_dtls_peer(fixture_t *fixture, const char *certificate);
/* Starts any server on the port given, and waits until it takes TCP connections there, or for a second if `port` is 0. */
peer_t *start_server(fixture_t *fixture, uint16_t port, const char *const *arguments);
/* Starts any program and waits for nothing; what it says when it is ready can be waited for. */
peer_t *start_program(fixture_t *fixture, const char *const *arguments);
/* mbedtls_cid_server --dtls with the certificate "server", at an address, whose sessions have a Connection ID, and which resumes them. */
peer_t *start_cid_peer(fixture_t *fixture, const char *address, const char *further);
/* udp_nat in front of a server on 127.0.0.1. */
peer_t *start_nat(fixture_t *fixture, const peer_t *server);
void stop_peer(fixture_t *fixture, peer_t *peer);
/* A TCP and UDP port on 127.0.0.1 that nothing uses. */
uint16_t free_port(void);
bool port_is_free(uint16_t port);

recorder_t *new_recorder(fixture_t *fixture);
void set_reaction(recorder_t *recorder, reaction_t reaction, void *argument);
/* Options for a URI such as `coap://127.0.0.1:%u`: no keepalive, short waits. The text lives as long as the fixture. */
mcc_connection_options_t options_for(fixture_t *fixture, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Opens a connection whose events go to `*recorder`, which is made here. */
mcc_connection_t *open_connection(fixture_t *fixture, mcc_connection_options_t options, recorder_t **recorder);
/* The same with a reaction to its events, the first included. */
mcc_connection_t *open_reacting(fixture_t *fixture, mcc_connection_options_t options, recorder_t **recorder, reaction_t reaction,
                                void *argument);
/* As open_connection, and waits until it is ready. */
mcc_connection_t *open_ready(fixture_t *fixture, mcc_connection_options_t options, recorder_t **recorder);
/* Closes it, and waits for its last event. */
void close_connection(mcc_connection_t *connection, recorder_t *recorder);
mcc_connection_stats_t stats_of(mcc_connection_t *connection);

/* ---- TLS ---- */

/* TLS options with this CA of the tests' certificates (NULL: none), such as "ca.pem". They live as long as the fixture. */
mcc_tls_options_t *tls_with_ca(fixture_t *fixture, const char *ca);
/* Reads one of the tests' certificates; the bytes live as long as the fixture. */
const uint8_t *read_certificate(fixture_t *fixture, const char *name, size_t *size);
/* The path of one of the tests' certificates; it lives as long as the fixture. */
const char *certificate_path(fixture_t *fixture, const char *name);

/* ---- messages ---- */

enum { CONFIRMABLE = 0, NON_CONFIRMABLE = 1, ACKNOWLEDGEMENT = 2, RESET = 3 };
enum { CODE_GET = 1, CODE_POST = 2, CODE_CONTENT = 0x45 };

/* Writes a POST with a token of two bytes, the message ID, and a payload that fills it up to `size` (at least 6). Returns `size`. */
size_t write_request(uint8_t *out, size_t size, unsigned type, uint16_t message_id);
/* Sends such a request and expects that it is taken; gives its ticket. */
uint64_t send_request(mcc_connection_t *connection, size_t size, uint16_t message_id);
/* Sends one and waits for the answer with the same message ID (unless `any_id`) and payload. */
void expect_echo(mcc_connection_t *connection, recorder_t *recorder, size_t size, uint16_t message_id, bool any_id);

/* The same for mbedtls_cid_server, which sends back what it gets. */
void expect_same(mcc_connection_t *connection, recorder_t *recorder, size_t size, uint16_t message_id);

/* ---- this process ---- */

size_t count_descriptors(void);
/* Without a sanitizer's own, and without an emulator's. */
size_t count_threads(void);
size_t heap_in_use(void);
/* How often something is done: `count` times, or a twentieth of that under tools that make everything slow (MCC_TEST_FEWER). */
unsigned times(unsigned count);

/* Whether this program is for another machine, and runs under an emulator of its processor (MCC_TEST_EMULATOR: how that is called). */
bool is_emulated(void);
/* For what the emulator does not do, or does itself. */
void skip_under_emulation(const char *reason);
/* The same where this program runs under valgrind. */
void skip_under_valgrind(const char *reason);
bool is_under_valgrind(void);
/* Becomes another program of the tests, by its path and with arguments, the last one NULL. */
void run_program_of_tests(const char *const *arguments);

#define assert_status(actual, expected) assert_status_at((actual), (expected), #actual, __FILE__, __LINE__)
void assert_status_at(mcc_status_t actual, mcc_status_t expected, const char *what, const char *file, int line);

#endif
