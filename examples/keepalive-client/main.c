/* keepalive-client: connects to a CoAP server, keeps the connection alive, and says what happens to it.
 *
 *   keepalive-client --ca ca.pem coaps://lwm2m.example:5684
 *
 * It shows how a program with a poll loop of its own uses the library. A program without one lets the context have its own thread
 * (`own_thread` is 1 by default) and needs neither the loop nor mcc_context_process: the callback then comes from that thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include <mbed_cloud_connectivity.h>

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXIT_NOT_REACHED = 1, EXIT_USAGE = 2, CLOSE_WITHIN_MS = 5000, FILE_LIMIT = 1 << 20 };

/* How far `--until-recovered` has come: each step needs the one before it. */
typedef enum {
    STEP_BEGIN,
    STEP_PING_ANSWERED,
    STEP_LOSS_SEEN,
    STEP_WAITED,
    STEP_CONNECTED_AGAIN,
    STEP_PING_ANSWERED_AGAIN,
} step_t;

typedef struct {
    const char *uri;
    mcc_connection_options_t connection;
    mcc_tls_options_t tls;
    const char *state_file; /* NULL: none */
    bool until_recovered;
    bool verbose;
    unsigned long limit_s; /* 0: none */
} settings_t;

typedef struct {
    bool ready_once;
    bool closed;
    step_t step;
} client_t;

/* What the state file holds. */
typedef struct {
    uint8_t bytes[MCC_KEEPALIVE_STATE_MAX_SIZE];
    size_t size;
} path_state_t;

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- output ---- */

static uint64_t milliseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Begins a line with the seconds since the first one. */
static void print_time(void)
{
    static uint64_t begin;
    if (begin == 0) {
        begin = milliseconds_now();
    }
    uint64_t elapsed = milliseconds_now() - begin;
    printf("[%4llu.%03llu s] ", (unsigned long long)(elapsed / 1000), (unsigned long long)(elapsed % 1000));
}

static void print_log(void *argument, mcc_log_level_t level, const char *message)
{
    (void)argument;
    fprintf(stderr, "log %d: %s\n", (int)level, message);
}

/* ---- what the connection says ---- */

/* Asks the server what it offers: GET /.well-known/core, a Confirmable message of RFC 7252. */
static void ask_for_resources(mcc_connection_t *connection)
{
    static const uint8_t header[] = {0x41, 0x01, 0x00, 0x01, 0x77}; /* version 1, Confirmable, a token of 1 byte; GET; ID; token */
    static const char path[] = "\xbb.well-known\x04" "core";        /* two options Uri-Path (11) of 11 and 4 bytes */
    uint8_t message[sizeof header + sizeof path - 1];
    memcpy(message, header, sizeof header);
    memcpy(message + sizeof header, path, sizeof path - 1);
    uint64_t ticket;
    mcc_status_t status = mcc_connection_send(connection, message, sizeof message, &ticket);
    print_time();
    if (status == MCC_OK) {
        printf("asking for /.well-known/core: message %llu\n", (unsigned long long)ticket);
    } else {
        printf("message not taken: %s: %s\n", mcc_status_name(status), mcc_status_text(status));
    }
}

static void print_message(const mcc_event_message_t *message)
{
    printf("message of %zu bytes, code %u.%02u, ID %u\n", message->size, message->data[1] >> 5, message->data[1] & 31u,
           (unsigned)message->data[2] << 8 | message->data[3]);
}

static void state_changed(client_t *client, const mcc_event_t *event)
{
    const mcc_event_state_t *change = &event->data.state;
    switch (change->state) {
    case MCC_STATE_RESOLVING:
        printf("looking up the host\n");
        break;
    case MCC_STATE_CONNECTING:
        printf("connecting\n");
        break;
    case MCC_STATE_HANDSHAKING:
        printf("connected, agreeing on the session\n");
        break;
    case MCC_STATE_READY:
        printf("%s\n", client->ready_once ? "ready again" : "ready");
        if (client->step == STEP_WAITED) {
            client->step = STEP_CONNECTED_AGAIN;
        }
        client->ready_once = true;
        ask_for_resources(event->connection);
        break;
    case MCC_STATE_WAITING:
        printf("lost: %s", mcc_status_name(change->reason));
        if (change->detail != 0) {
            printf(" (%d)", (int)change->detail);
        }
        printf(": %s\n", change->text);
        print_time();
        printf("waiting %.3f s before the next attempt\n", (double)change->next_attempt_ms / 1000);
        if (client->step == STEP_LOSS_SEEN) {
            client->step = STEP_WAITED;
        }
        break;
    case MCC_STATE_CLOSED:
        printf("closed: %s\n", change->text);
        client->closed = true;
        break;
    }
}

static void event_came(void *argument, const mcc_event_t *event)
{
    client_t *client = argument;
    print_time();
    switch (event->type) {
    case MCC_EVENT_STATE:
        state_changed(client, event);
        break;
    case MCC_EVENT_MESSAGE:
        print_message(&event->data.message);
        break;
    case MCC_EVENT_SENT:
        printf("message %llu was sent\n", (unsigned long long)event->data.sent.ticket);
        break;
    case MCC_EVENT_FAILED:
        printf("message %llu was not sent: %s: %s\n", (unsigned long long)event->data.failed.ticket,
               mcc_status_name(event->data.failed.reason), mcc_status_text(event->data.failed.reason));
        break;
    case MCC_EVENT_PING_SENT:
        printf("ping\n");
        break;
    case MCC_EVENT_PING_ANSWERED:
        printf("ping answered, round trip %.3f ms\n", (double)event->data.ping_answered.round_trip_us / 1000);
        if (client->step == STEP_BEGIN) {
            client->step = STEP_PING_ANSWERED;
        } else if (client->step == STEP_CONNECTED_AGAIN) {
            client->step = STEP_PING_ANSWERED_AGAIN;
        }
        break;
    case MCC_EVENT_PING_LOST:
        printf("ping lost, the path is dead: %s\n", mcc_status_name(event->data.ping_lost.reason));
        if (client->step == STEP_PING_ANSWERED) {
            client->step = STEP_LOSS_SEEN;
        }
        break;
    default:
        /* A type that a later version of the library has added. */
        printf("event %d\n", (int)event->type);
        break;
    }
    fflush(stdout);
}

/* ---- command line ---- */

static void print_usage(FILE *out)
{
    fprintf(out, "usage: keepalive-client [options] URI\n"
                 "\n"
                 "URI: coap://HOST[:PORT], coaps:// (the device management service), coap+tcp:// or coaps+tcp:// (RFC 8323)\n"
                 "\n"
                 "  --ca FILE             CA certificates that the server's has to lead to, PEM or DER\n"
                 "  --crl FILE            certificates that have been revoked\n"
                 "  --certificate FILE    this device's certificate\n"
                 "  --key FILE            its private key\n"
                 "  --psk-identity TEXT   instead of certificates: the identity of a pre-shared key\n"
                 "  --psk HEX             the pre-shared key\n"
                 "  --server-name NAME    the name that the server's certificate is for, if not the host\n"
                 "  --no-name-check       take any name of the CA's certificates\n"
                 "  --udp                 coap:// over UDP, coaps:// over DTLS\n"
                 "  --interval SECONDS    keepalive interval, instead of the one compiled in; `off` for none\n"
                 "  --adaptive[=FILE]     look for the longest interval that the path bears, instead of --interval; what was found out is\n"
                 "                        read from the file, if it is there, and written to it whenever there is more\n"
                 "  --answer-within MS    how long the answer to a ping may take\n"
                 "  --limit SECONDS       end after this time\n"
                 "  --until-recovered     end, with success, once a ping was answered, the path was lost, waited for and connected\n"
                 "                        again, and a ping was answered again\n"
                 "  --verbose             the library's log on standard error\n"
                 "\n"
                 "Exit status: 0 it was ready at least once (with --until-recovered: all of that happened), 1 it was not, 2 wrong use.\n");
}

static _Noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "keepalive-client: %s: %s\n", what, why);
    exit(EXIT_USAGE);
}

/* The whole of a small file. It is kept until the program ends. */
static const uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *bytes = malloc(FILE_LIMIT);
    if (file == NULL || bytes == NULL) {
        give_up(path, strerror(errno));
    }
    *size = fread(bytes, 1, FILE_LIMIT, file);
    if (*size == 0 || *size == FILE_LIMIT) {
        give_up(path, *size == 0 ? "is empty or cannot be read" : "is too large");
    }
    fclose(file);
    return bytes;
}

static unsigned long read_number(const char *option, const char *text)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || end == text || text[0] == '-' || number > UINT32_MAX) {
        give_up(option, "is not a number in its range");
    }
    return number;
}

static const uint8_t *read_hexadecimal(const char *option, const char *text, size_t *size)
{
    size_t digits = strlen(text);
    uint8_t *bytes = malloc(digits / 2 + 1);
    if (bytes == NULL) {
        give_up(option, strerror(errno));
    }
    if (digits % 2 != 0 || strspn(text, "0123456789abcdefABCDEF") != digits) {
        give_up(option, "is not an even number of hexadecimal digits");
    }
    for (size_t index = 0; index < digits / 2; index++) {
        char pair[] = {text[2 * index], text[2 * index + 1], '\0'};
        bytes[index] = (uint8_t)strtoul(pair, NULL, 16);
    }
    *size = digits / 2;
    return bytes;
}

static void read_arguments(int count, char **arguments, settings_t *settings)
{
    /* Those up to NO_NAME_CHECK are about TLS. */
    enum { CA = 256, CRL, CERTIFICATE, KEY, PSK_IDENTITY, PSK, SERVER_NAME, NO_NAME_CHECK, UDP, INTERVAL, ADAPTIVE, ANSWER_WITHIN,
           LIMIT, UNTIL_RECOVERED, VERBOSE, HELP };
    static const struct option options[] = {
        {"ca", required_argument, NULL, CA},
        {"crl", required_argument, NULL, CRL},
        {"certificate", required_argument, NULL, CERTIFICATE},
        {"key", required_argument, NULL, KEY},
        {"psk-identity", required_argument, NULL, PSK_IDENTITY},
        {"psk", required_argument, NULL, PSK},
        {"server-name", required_argument, NULL, SERVER_NAME},
        {"no-name-check", no_argument, NULL, NO_NAME_CHECK},
        {"udp", no_argument, NULL, UDP},
        {"interval", required_argument, NULL, INTERVAL},
        {"adaptive", optional_argument, NULL, ADAPTIVE},
        {"answer-within", required_argument, NULL, ANSWER_WITHIN},
        {"limit", required_argument, NULL, LIMIT},
        {"until-recovered", no_argument, NULL, UNTIL_RECOVERED},
        {"verbose", no_argument, NULL, VERBOSE},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    mcc_tls_options_t *tls = &settings->tls;
    bool tls_given = false;
    for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
        tls_given = tls_given || option <= NO_NAME_CHECK;
        switch (option) {
        case CA:
            tls->ca = read_file(optarg, &tls->ca_size);
            break;
        case CRL:
            tls->crl = read_file(optarg, &tls->crl_size);
            break;
        case CERTIFICATE:
            tls->certificate = read_file(optarg, &tls->certificate_size);
            break;
        case KEY:
            tls->key = read_file(optarg, &tls->key_size);
            break;
        case PSK_IDENTITY:
            tls->psk_identity = (const uint8_t *)optarg;
            tls->psk_identity_size = strlen(optarg);
            break;
        case PSK:
            tls->psk = read_hexadecimal("--psk", optarg, &tls->psk_size);
            break;
        case SERVER_NAME:
            tls->server_name = optarg;
            break;
        case NO_NAME_CHECK:
            tls->check_server_name = 0;
            break;
        case UDP:
            settings->connection.transport = MCC_TRANSPORT_UDP;
            break;
        case INTERVAL:
            settings->connection.keepalive_interval_s =
                strcmp(optarg, "off") == 0 ? MCC_KEEPALIVE_OFF : (uint32_t)read_number("--interval", optarg);
            break;
        case ADAPTIVE:
            settings->connection.keepalive_adaptive = 1;
            settings->state_file = optarg;
            break;
        case ANSWER_WITHIN:
            settings->connection.keepalive_timeout_ms = (uint32_t)read_number("--answer-within", optarg);
            break;
        case LIMIT:
            settings->limit_s = read_number("--limit", optarg);
            break;
        case UNTIL_RECOVERED:
            settings->until_recovered = true;
            break;
        case VERBOSE:
            settings->verbose = true;
            break;
        case HELP:
            print_usage(stdout);
            exit(EXIT_SUCCESS);
        default:
            print_usage(stderr);
            exit(EXIT_USAGE);
        }
    }
    if (optind != count - 1) {
        print_usage(stderr);
        exit(EXIT_USAGE);
    }
    settings->uri = arguments[optind];
    /* The library refuses credentials for a scheme that would not use them. */
    if (tls_given) {
        settings->connection.tls = tls;
    }
}

/* ---- what the path bears ---- */

/* Reads what an earlier run has found out. There is nothing in the first one. */
static void read_state(const char *path, path_state_t *held)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        if (errno != ENOENT) {
            give_up(path, strerror(errno));
        }
        return;
    }
    held->size = fread(held->bytes, 1, sizeof held->bytes, file);
    fclose(file);
    printf("read what the path bears: %zu bytes of %s\n", held->size, path);
}

/* Writes what was found out, if the file does not hold it. Under another name first: a run that is cut off leaves the old file. */
static void keep_state(const mcc_connection_t *connection, const char *path, path_state_t *held)
{
    path_state_t now;
    if (mcc_connection_keepalive_state(connection, now.bytes, sizeof now.bytes, &now.size) != MCC_OK ||
        (now.size == held->size && memcmp(now.bytes, held->bytes, now.size) == 0)) {
        return;
    }
    char other[4096];
    int length = snprintf(other, sizeof other, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof other) {
        give_up(path, "is too long a name");
    }
    FILE *file = fopen(other, "wbe");
    bool whole = file != NULL && fwrite(now.bytes, 1, now.size, file) == now.size;
    if (file == NULL || fclose(file) != 0 || !whole || rename(other, path) != 0) {
        give_up(path, strerror(errno));
    }
    *held = now;
    print_time();
    printf("kept what the path bears: %zu bytes in %s\n", now.size, path);
    fflush(stdout);
}

/* ---- the loop ---- */

/* Waits for the context's one descriptor and does what is due, until `until_ms` at most. False when a signal came instead. */
static bool run_once(mcc_context_t *context, uint64_t until_ms, const sigset_t *while_waiting)
{
    uint64_t now = milliseconds_now();
    uint64_t left = until_ms > now ? until_ms - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000), .tv_nsec = (long)(left % 1000) * 1000000};
    struct pollfd entry = {.fd = mcc_context_fd(context), .events = POLLIN};
    /* The descriptor wakes for the library's deadlines too; the timeout is only the program's own. */
    int ready = ppoll(&entry, 1, until_ms == UINT64_MAX ? NULL : &timeout, while_waiting);
    if (ready < 0 && errno != EINTR) {
        give_up("ppoll", strerror(errno));
    }
    if (ready > 0) {
        mcc_status_t status = mcc_context_process(context, 0);
        if (status != MCC_OK) {
            give_up(mcc_status_name(status), mcc_status_text(status));
        }
    }
    return ready >= 0;
}

int main(int count, char **arguments)
{
    settings_t settings = {.connection = MCC_CONNECTION_OPTIONS_INIT, .tls = MCC_TLS_OPTIONS_INIT};
    client_t client = {0};
    read_arguments(count, arguments, &settings);

    /* Signals come while the program waits and at no other time, so that none is missed between a check and the wait. */
    sigset_t held;
    sigset_t while_waiting;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigprocmask(SIG_BLOCK, &held, &while_waiting);
    struct sigaction action = {.sa_handler = interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    if (settings.verbose) {
        mcc_log_set(print_log, NULL, MCC_LOG_DEBUG);
    }
    printf("library %s, keepalive interval compiled in: %u s (%s)\n", mcc_version(), (unsigned)mcc_keepalive_interval_s(),
           mcc_keepalive_interval_source());

    mcc_context_options_t context_options = MCC_CONTEXT_OPTIONS_INIT;
    context_options.own_thread = 0;
    mcc_context_t *context;
    mcc_status_t status = mcc_context_new(&context_options, &context);
    if (status != MCC_OK) {
        give_up(mcc_status_name(status), mcc_status_text(status));
    }
    settings.connection.uri = settings.uri;
    settings.connection.callback = event_came;
    settings.connection.argument = &client;
    path_state_t kept = {.size = 0};
    if (settings.state_file != NULL) {
        read_state(settings.state_file, &kept);
        settings.connection.keepalive_state = kept.size > 0 ? kept.bytes : NULL;
        settings.connection.keepalive_state_size = kept.size;
    }
    mcc_connection_t *connection;
    status = mcc_connection_open(context, &settings.connection, &connection);
    if (status == MCC_ERR_KEEPALIVE_STATE_INVALID) {
        printf("%s: %s\n", settings.state_file, mcc_status_text(status));
        settings.connection.keepalive_state = NULL;
        settings.connection.keepalive_state_size = 0;
        status = mcc_connection_open(context, &settings.connection, &connection);
    }
    if (status != MCC_OK) {
        give_up(mcc_status_name(status), mcc_status_text(status));
    }
    print_time();
    printf("opened %s\n", settings.uri);
    fflush(stdout);

    uint64_t until = settings.limit_s == 0 ? UINT64_MAX : milliseconds_now() + settings.limit_s * 1000;
    while (!interrupted && milliseconds_now() < until && !(settings.until_recovered && client.step == STEP_PING_ANSWERED_AGAIN)) {
        (void)run_once(context, until, &while_waiting);
        if (settings.state_file != NULL) {
            keep_state(connection, settings.state_file, &kept);
        }
    }

    mcc_connection_stats_t stats = MCC_CONNECTION_STATS_INIT;
    if (mcc_connection_stats(connection, &stats) == MCC_OK) {
        print_time();
        printf("connections %llu of %llu attempts, pings %llu, answered %llu, lost %llu\n", (unsigned long long)stats.connections,
               (unsigned long long)stats.attempts, (unsigned long long)stats.pings_sent, (unsigned long long)stats.pings_answered,
               (unsigned long long)stats.pings_lost);
        if (settings.connection.keepalive_adaptive != 0) {
            print_time();
            printf("keepalive interval now: %.3f s\n", (double)stats.keepalive_interval_ms / 1000);
        }
    }
    mcc_connection_close(connection);
    until = milliseconds_now() + CLOSE_WITHIN_MS;
    while (!client.closed && milliseconds_now() < until) {
        (void)run_once(context, until, &while_waiting);
    }
    mcc_context_free(context);

    bool reached = settings.until_recovered ? client.step == STEP_PING_ANSWERED_AGAIN : client.ready_once;
    return reached ? EXIT_SUCCESS : EXIT_NOT_REACHED;
}
