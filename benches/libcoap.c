/* libcoap's own client, which the library is held against.
 *
 *   bench-libcoap PORT CA_FILE CONNECTIONS
 *
 * It connects to 127.0.0.1 by CoAP over TLS (RFC 8323), and says `ready`. Each line of its standard input is answered by `round
 * NANOSECONDS`, of one:
 *   stream NUMBER   so many messages of 100 bytes, in turns over the connections, until the server has read the last of each
 *   written NUMBER  a ping is built
 *   matched NUMBER  the answer to a ping is read
 *   read NUMBER     a message of 100 bytes with four options is read
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "bench_messages.h"

#include <coap3/coap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

enum { WAIT_MS = 10000, PATIENCE_S = 20, ROOM = 256 };

static struct {
    coap_context_t *context;
    coap_session_t **sessions;
    unsigned count;
    unsigned connected;
    unsigned answers;
} client;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "bench-libcoap: %s failed\n", what);
    exit(1);
}

static uint64_t nanoseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int on_event(coap_session_t *session, const coap_event_t event)
{
    (void)session;
    client.connected += event == COAP_EVENT_SESSION_CONNECTED;
    return 0;
}

static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent, const coap_pdu_t *received, const coap_mid_t mid)
{
    (void)session;
    (void)sent;
    (void)received;
    (void)mid;
    client.answers++;
    return COAP_RESPONSE_OK;
}

/* Runs the loop until the number is reached. */
static void run_until(const unsigned *number, unsigned wanted)
{
    uint64_t limit = nanoseconds_now() + PATIENCE_S * 1000000000ull;
    while (*number < wanted) {
        if (coap_io_process(client.context, WAIT_MS) < 0 || nanoseconds_now() > limit) {
            give_up("waiting for the server");
        }
    }
}

static void connect_all(uint16_t port, const char *ca)
{
    coap_dtls_pki_t pki = {.version = COAP_DTLS_PKI_SETUP_VERSION, .verify_peer_cert = 1};
    pki.pki_key.key_type = COAP_PKI_KEY_PEM;
    pki.pki_key.key.pem.ca_file = ca;
    coap_address_t server;
    coap_address_init(&server);
    server.size = sizeof server.addr.sin;
    server.addr.sin.sin_family = AF_INET;
    server.addr.sin.sin_port = htons(port);
    server.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client.context = coap_new_context(NULL);
    client.sessions = calloc(client.count, sizeof *client.sessions);
    if (client.context == NULL || client.sessions == NULL || !coap_context_set_pki_root_cas(client.context, ca, NULL)) {
        give_up("coap_new_context");
    }
    coap_register_event_handler(client.context, on_event);
    coap_register_response_handler(client.context, on_response);
    for (unsigned index = 0; index < client.count; index++) {
        client.sessions[index] = coap_new_client_session_pki(client.context, NULL, &server, COAP_PROTO_TLS, &pki);
        if (client.sessions[index] == NULL) {
            give_up("coap_new_client_session_pki");
        }
    }
    run_until(&client.connected, client.count);
}

static void send_message(coap_session_t *session, coap_pdu_code_t code, size_t payload_size)
{
    static uint8_t payload[BENCH_MESSAGE_SIZE];
    coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_NON, code, coap_new_message_id(session), coap_session_max_pdu_size(session));
    memset(payload, 'x', sizeof payload);
    if (pdu == NULL || (payload_size > 0 && !coap_add_data(pdu, payload_size, payload)) || coap_send(session, pdu) == COAP_INVALID_MID) {
        give_up("coap_send");
    }
}

static void stream(unsigned count)
{
    unsigned before = client.answers;
    for (unsigned sent = 0; sent < count; sent++) {
        send_message(client.sessions[sent % client.count], COAP_REQUEST_CODE_PUT, BENCH_PAYLOAD_SIZE);
        /* As often as the library's queue is full. */
        if (sent % BENCH_QUEUE == BENCH_QUEUE - 1 && coap_io_process(client.context, COAP_IO_NO_WAIT) < 0) {
            give_up("coap_io_process");
        }
    }
    for (unsigned index = 0; index < client.count; index++) {
        send_message(client.sessions[index], COAP_REQUEST_CODE_GET, 0);
    }
    run_until(&client.answers, before + client.count);
}

static void write_pings(unsigned count)
{
    for (unsigned index = 0; index < count; index++) {
        coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_CON, COAP_EMPTY_CODE, (coap_mid_t)(index & 0xffff), 4);
        if (pdu == NULL) {
            give_up("coap_pdu_init");
        }
        coap_delete_pdu(pdu);
    }
}

static void read_messages(const uint8_t *message, size_t size, unsigned count)
{
    coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_CON, COAP_EMPTY_CODE, 0, ROOM);
    for (unsigned index = 0; pdu != NULL && index < count; index++) {
        if (!coap_pdu_parse(COAP_PROTO_UDP, message, size, pdu)) {
            give_up("coap_pdu_parse");
        }
    }
    coap_delete_pdu(pdu);
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "usage: bench-libcoap PORT CA_FILE CONNECTIONS\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    coap_startup();
    coap_set_log_level(LOG_CRIT);
    client.count = (unsigned)strtoul(arguments[3], NULL, 10);
    connect_all((uint16_t)strtoul(arguments[1], NULL, 10), arguments[2]);
    printf("ready\n");
    char line[64];
    char what[16];
    unsigned number;
    while (fgets(line, sizeof line, stdin) != NULL && sscanf(line, "%15s %u", what, &number) == 2) {
        const uint8_t reset[] = {0x70, 0x00, 0x12, 0x34};
        uint8_t message[BENCH_MESSAGE_SIZE];
        size_t size = bench_typical_message(message);
        uint64_t begin = nanoseconds_now();
        if (strcmp(what, "stream") == 0) {
            stream(number);
        } else if (strcmp(what, "written") == 0) {
            write_pings(number);
        } else if (strcmp(what, "matched") == 0) {
            read_messages(reset, sizeof reset, number);
        } else {
            read_messages(message, size, number);
        }
        printf("round %.2f\n", (double)(nanoseconds_now() - begin) / number);
    }
    return 0;
}
