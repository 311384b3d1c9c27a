/* The fault proxy of the soak: thousands of streams on one thread. The lab's proxy has two threads for each stream.
 *
 *   soak-proxy SERVER_PORT SEED [--corrupt]
 *
 * It prints `listening PORT` and passes on what comes to that port. Always: some of what it passes on is held back for up to 200 ms, some
 * goes out in pieces. While it has been told `faults CUTS HALF_OPENS` (in a thousand streams and second), it also ends streams, by a close
 * or a reset, one in three of them in the middle of what it passes on; and lets streams be half open: nothing gets through any more, and
 * neither side is told. `calm` ends this. `report` is answered by
 * `faults CLOSES RESETS HALF_OPENS DELAYS SPLITS REFUSED STREAMS`. --corrupt: one piece in 5000 has one bit turned, to show that this is
 * found out. It ends with its standard input.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 256, READ_SIZE = 16384, MOST_HELD = 65536, BACKLOG = 4096, TICK_MS = 100 };
/* Out of a hundred pieces: how many are held back, and how many are split. */
enum { DELAYED = 5, LONGEST_DELAY_MS = 200, SPLIT = 10, GAP_MS = 2, CORRUPT_ONE_OF = 5000 };
/* How long the server's side of a stream that was half open stays after the client has left. */
enum { FORGOTTEN_MS = 3000 };

/* A piece that waits for its time, or for room. */
typedef struct piece {
    struct piece *next;
    uint64_t due_ms;
    size_t size;
    size_t written;
    uint8_t bytes[];
} piece_t;

typedef struct pair pair_t;

/* One end of a stream, and what waits to be written to it. */
typedef struct {
    pair_t *pair;
    int descriptor;
    bool connecting;
    bool ended; /* has nothing more to read */
    uint32_t watched;
    piece_t *first;
    piece_t **last;
    size_t held;
} end_t;

struct pair {
    end_t client;
    end_t server;
    size_t place; /* in the list of all */
    bool half_open;
    bool cut_in_the_middle;
    bool dead;
    bool reset;
    uint64_t forgotten_ms; /* 0: not yet */
    pair_t *next_dead;
};

static struct {
    int epoll;
    int port;
    uint16_t server_port;
    pair_t **pairs;
    size_t count;
    size_t room;
    pair_t *dead;
    uint32_t random;
    bool corrupt;
    double cuts; /* wanted each second, of a thousand */
    double half_opens;
    double cuts_due;
    double half_opens_due;
    uint64_t closes_done;
    uint64_t resets_done;
    uint64_t half_opens_done;
    uint64_t delays_done;
    uint64_t splits_done;
    uint64_t refused;
    uint64_t streams;
    uint64_t next_due_ms;
} proxy;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "soak-proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t milliseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static uint32_t below(uint32_t limit)
{
    proxy.random ^= proxy.random << 13;
    proxy.random ^= proxy.random >> 17;
    proxy.random ^= proxy.random << 5;
    return proxy.random % limit;
}

/* ---- streams ---- */

static void watch(end_t *end)
{
    if (end->descriptor < 0) {
        return;
    }
    const pair_t *pair = end->pair;
    const end_t *other = end == &pair->client ? &pair->server : &pair->client;
    uint32_t wanted = 0;
    if (!end->ended && (pair->half_open || other->held < MOST_HELD)) {
        wanted |= EPOLLIN;
    }
    if (end->connecting || (end->first != NULL && end->first->due_ms == 0)) {
        wanted |= EPOLLOUT;
    }
    if (wanted != end->watched) {
        struct epoll_event event = {.events = wanted, .data.ptr = end};
        if (epoll_ctl(proxy.epoll, EPOLL_CTL_MOD, end->descriptor, &event) != 0) {
            give_up("epoll_ctl");
        }
        end->watched = wanted;
    }
}

static void drop_pieces(end_t *end)
{
    for (piece_t *piece = end->first, *next; piece != NULL; piece = next) {
        next = piece->next;
        free(piece);
    }
    end->first = NULL;
    end->last = &end->first;
    end->held = 0;
}

static void close_end(end_t *end, bool reset)
{
    if (end->descriptor < 0) {
        return;
    }
    if (reset) {
        struct linger linger = {.l_onoff = 1};
        setsockopt(end->descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    close(end->descriptor);
    end->descriptor = -1;
    drop_pieces(end);
}

/* Events of a pair may still be on their way: its memory goes after them. */
static void end_pair(pair_t *pair, bool reset)
{
    if (pair->dead) {
        return;
    }
    pair->dead = true;
    close_end(&pair->client, reset);
    close_end(&pair->server, reset);
    proxy.pairs[pair->place] = proxy.pairs[--proxy.count];
    proxy.pairs[pair->place]->place = pair->place;
    pair->next_dead = proxy.dead;
    proxy.dead = pair;
}

static void bury(void)
{
    while (proxy.dead != NULL) {
        pair_t *pair = proxy.dead;
        proxy.dead = pair->next_dead;
        free(pair);
    }
}

static void add_piece(end_t *to, const uint8_t *bytes, size_t size, uint64_t due_ms)
{
    piece_t *piece = malloc(sizeof *piece + size);
    if (piece == NULL) {
        give_up("malloc");
    }
    *piece = (piece_t){.due_ms = due_ms, .size = size};
    memcpy(piece->bytes, bytes, size);
    *to->last = piece;
    to->last = &piece->next;
    to->held += size;
    if (due_ms != 0 && due_ms < proxy.next_due_ms) {
        proxy.next_due_ms = due_ms;
    }
}

/* Decides what happens to what came in. */
static void take(end_t *to, uint8_t *bytes, size_t size)
{
    if (proxy.corrupt && below(CORRUPT_ONE_OF) == 0) {
        bytes[below((uint32_t)size)] ^= 1;
    }
    uint64_t due_ms = 0;
    uint32_t fate = below(100);
    if (fate < DELAYED) {
        due_ms = milliseconds_now() + 1 + below(LONGEST_DELAY_MS);
        proxy.delays_done++;
    } else if (fate < DELAYED + SPLIT && size > 1) {
        size_t pieces = 2 + below(4);
        uint64_t now = milliseconds_now();
        proxy.splits_done++;
        for (size_t piece = 0; size > 1 && piece + 1 < pieces; piece++) {
            size_t part = 1 + below((uint32_t)(size - 1));
            add_piece(to, bytes, part, now + GAP_MS * piece);
            bytes += part;
            size -= part;
            due_ms = now + GAP_MS * (piece + 1);
        }
    }
    add_piece(to, bytes, size, due_ms);
}

/* Writes what is due; false if the pair is over. */
static bool write_pieces(end_t *to, uint64_t now)
{
    pair_t *pair = to->pair;
    while (to->first != NULL && !to->connecting && to->descriptor >= 0) {
        piece_t *piece = to->first;
        if (piece->due_ms > now) {
            if (piece->due_ms < proxy.next_due_ms) {
                proxy.next_due_ms = piece->due_ms;
            }
            break;
        }
        piece->due_ms = 0;
        size_t size = piece->size - piece->written;
        if (pair->cut_in_the_middle) {
            size = (size + 1) / 2;
        }
        ssize_t written = send(to->descriptor, piece->bytes + piece->written, size, MSG_NOSIGNAL);
        if (pair->cut_in_the_middle) {
            end_pair(pair, pair->reset);
            return false;
        }
        if (written < 0) {
            if (errno == EAGAIN) {
                break;
            }
            end_pair(pair, true);
            return false;
        }
        piece->written += (size_t)written;
        to->held -= (size_t)written;
        if (piece->written == piece->size) {
            to->first = piece->next;
            if (to->first == NULL) {
                to->last = &to->first;
            }
            free(piece);
        }
    }
    const end_t *from = to == &pair->client ? &pair->server : &pair->client;
    if (from->ended && to->first == NULL) {
        end_pair(pair, false);
        return false;
    }
    watch(to);
    return true;
}

static void read_end(end_t *from)
{
    static uint8_t bytes[READ_SIZE];
    pair_t *pair = from->pair;
    end_t *to = from == &pair->client ? &pair->server : &pair->client;
    ssize_t size = recv(from->descriptor, bytes, sizeof bytes, 0);
    if (size > 0) {
        if (!pair->half_open) {
            take(to, bytes, (size_t)size);
            (void)(write_pieces(to, milliseconds_now()) && (watch(from), true));
        }
        return;
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (pair->half_open) {
        /* The other side is not told. The server's is forgotten after a while, or there would be more and more of them. */
        close_end(from, false);
        if (from == &pair->client) {
            pair->forgotten_ms = milliseconds_now() + FORGOTTEN_MS;
        }
    } else if (size < 0) {
        end_pair(pair, true);
    } else {
        from->ended = true;
        (void)(write_pieces(to, milliseconds_now()) && (watch(from), true));
    }
}

static int new_socket(void)
{
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) {
        give_up("socket");
    }
    return descriptor;
}

static void begin_end(pair_t *pair, end_t *end, int descriptor, bool connecting)
{
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *end = (end_t){.pair = pair, .descriptor = descriptor, .connecting = connecting, .watched = EPOLLIN | (connecting ? EPOLLOUT : 0)};
    end->last = &end->first;
    struct epoll_event event = {.events = end->watched, .data.ptr = end};
    if (epoll_ctl(proxy.epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        give_up("epoll_ctl");
    }
}

static void accept_streams(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(proxy.server_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client;
    while ((client = accept4(proxy.port, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        int server = new_socket();
        proxy.streams++;
        if (connect(server, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
            proxy.refused++;
            close(server);
            close(client);
            continue;
        }
        if (proxy.count == proxy.room) {
            proxy.room = 2 * proxy.room + 64;
            proxy.pairs = realloc(proxy.pairs, proxy.room * sizeof *proxy.pairs);
        }
        pair_t *pair = calloc(1, sizeof *pair);
        if (pair == NULL || proxy.pairs == NULL) {
            give_up("no memory");
        }
        pair->place = proxy.count;
        proxy.pairs[proxy.count++] = pair;
        begin_end(pair, &pair->client, client, false);
        begin_end(pair, &pair->server, server, true);
    }
}

static void handle(end_t *end, uint32_t events)
{
    if (end->pair->dead || end->descriptor < 0) {
        return;
    }
    if (end->connecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(end->descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            proxy.refused++;
            end_pair(end->pair, false);
            return;
        }
        end->connecting = false;
        if (!write_pieces(end, milliseconds_now())) {
            return;
        }
    }
    if ((events & EPOLLOUT) != 0 && !end->pair->half_open && !write_pieces(end, milliseconds_now())) {
        return;
    }
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
        if (end->ended) {
            /* Both directions are over, and there is nothing to be read that would say so. */
            end_pair(end->pair, false);
        } else {
            read_end(end);
        }
    }
}

/* ---- faults ---- */

static bool is_whole(const pair_t *pair)
{
    return !pair->half_open && !pair->cut_in_the_middle && !pair->server.connecting && !pair->client.ended && !pair->server.ended;
}

static void make_faults(void)
{
    uint64_t now = milliseconds_now();
    for (size_t index = proxy.count; index-- > 0;) {
        if (proxy.pairs[index]->forgotten_ms != 0 && now >= proxy.pairs[index]->forgotten_ms) {
            end_pair(proxy.pairs[index], true);
        }
    }
    double share = (double)proxy.count / 1000 * TICK_MS / 1000;
    proxy.cuts_due += proxy.cuts * share;
    proxy.half_opens_due += proxy.half_opens * share;
    while (proxy.cuts_due >= 1 && proxy.count > 0) {
        pair_t *pair = proxy.pairs[below((uint32_t)proxy.count)];
        proxy.cuts_due -= 1;
        if (is_whole(pair)) {
            pair->reset = below(2) == 0;
            *(pair->reset ? &proxy.resets_done : &proxy.closes_done) += 1;
            if (below(3) == 0) {
                pair->cut_in_the_middle = true;
            } else {
                end_pair(pair, pair->reset);
            }
        }
    }
    while (proxy.half_opens_due >= 1 && proxy.count > 0) {
        pair_t *pair = proxy.pairs[below((uint32_t)proxy.count)];
        proxy.half_opens_due -= 1;
        if (is_whole(pair)) {
            pair->half_open = true;
            proxy.half_opens_done++;
            drop_pieces(&pair->client);
            drop_pieces(&pair->server);
            watch(&pair->client);
            watch(&pair->server);
        }
    }
}

static void write_due(void)
{
    uint64_t now = milliseconds_now();
    if (now < proxy.next_due_ms) {
        return;
    }
    proxy.next_due_ms = UINT64_MAX;
    for (size_t index = proxy.count; index-- > 0;) {
        pair_t *pair = proxy.pairs[index];
        if (pair->half_open || (write_pieces(&pair->client, now) && write_pieces(&pair->server, now))) {
            continue;
        }
    }
}

/* Runs what stands in standard input; false at its end. */
static bool run_commands(void)
{
    char text[256];
    ssize_t size = read(STDIN_FILENO, text, sizeof text - 1);
    if (size <= 0) {
        return false;
    }
    text[size] = '\0';
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (sscanf(line, "faults %lf %lf", &proxy.cuts, &proxy.half_opens) == 2) {
            continue;
        }
        if (strcmp(line, "calm") == 0) {
            proxy.cuts = proxy.half_opens = 0;
        } else if (strcmp(line, "report") == 0) {
            printf("faults %llu %llu %llu %llu %llu %llu %llu\n", (unsigned long long)proxy.closes_done,
                   (unsigned long long)proxy.resets_done, (unsigned long long)proxy.half_opens_done,
                   (unsigned long long)proxy.delays_done, (unsigned long long)proxy.splits_done, (unsigned long long)proxy.refused,
                   (unsigned long long)proxy.streams);
        }
    }
    return true;
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fprintf(stderr, "usage: soak-proxy SERVER_PORT SEED [--corrupt]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    proxy.server_port = (uint16_t)strtoul(arguments[1], NULL, 10);
    proxy.random = (uint32_t)strtoul(arguments[2], NULL, 10) | 1u;
    proxy.corrupt = count > 3 && strcmp(arguments[3], "--corrupt") == 0;
    proxy.next_due_ms = UINT64_MAX;
    proxy.epoll = epoll_create1(EPOLL_CLOEXEC);
    proxy.port = new_socket();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct epoll_event port_event = {.events = EPOLLIN, .data.ptr = NULL};
    struct epoll_event input_event = {.events = EPOLLIN, .data.ptr = &proxy};
    if (bind(proxy.port, (struct sockaddr *)&address, size) != 0 || listen(proxy.port, BACKLOG) != 0
        || getsockname(proxy.port, (struct sockaddr *)&address, &size) != 0
        || epoll_ctl(proxy.epoll, EPOLL_CTL_ADD, proxy.port, &port_event) != 0
        || epoll_ctl(proxy.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input_event) != 0) {
        give_up("the port");
    }
    printf("listening %u\n", ntohs(address.sin_port));
    uint64_t next_tick = milliseconds_now();
    for (;;) {
        uint64_t now = milliseconds_now();
        uint64_t until = proxy.next_due_ms < next_tick ? proxy.next_due_ms : next_tick;
        struct epoll_event events[EVENTS_AT_ONCE];
        int ready = epoll_wait(proxy.epoll, events, EVENTS_AT_ONCE, until > now ? (int)(until - now) : 0);
        for (int index = 0; index < ready; index++) {
            if (events[index].data.ptr == NULL) {
                accept_streams();
            } else if (events[index].data.ptr == &proxy) {
                if (!run_commands()) {
                    return 0;
                }
            } else {
                handle(events[index].data.ptr, events[index].events);
            }
        }
        write_due();
        if (milliseconds_now() >= next_tick) {
            make_faults();
            next_tick = milliseconds_now() + TICK_MS;
        }
        bury();
    }
}
