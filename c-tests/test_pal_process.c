/* What a process notices of the PAL's layer, beyond what its functions say: signals, threads, descriptors, memory, errno.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "pal_support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Valgrind has signals and descriptors of its own, and stands between a program and the system's. */
#define not_under_valgrind()                      \
    do {                                          \
        if (getenv("MCC_TEST_FEWER") != NULL) {   \
            skip();                               \
        }                                         \
    } while (0)

/* The thread sanitizer ends the child of a program with threads that makes one. */
#ifdef __SANITIZE_THREAD__
#define not_under_the_thread_sanitizer() skip()
#else
#define not_under_the_thread_sanitizer() ((void)0)
#endif

/* ---- facts about this process ---- */

/* A thread that was joined may be in the system's list for a moment. */
static void await_threads(size_t count)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    while (count_threads() != count && milliseconds_now() < until) {
        sleep_ms(1);
    }
    assert_int_equal(count_threads(), count);
}

static void await_descriptors(size_t count)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    while (count_descriptors() != count && milliseconds_now() < until) {
        sleep_ms(1);
    }
    assert_int_equal(count_descriptors(), count);
}

enum { MOST_DESCRIPTORS = 1024 };

static bool is_open(int descriptor)
{
    return fcntl(descriptor, F_GETFD) >= 0;
}

static struct rlimit descriptor_limit;

/* From now on the process gets so many descriptors and no more. */
static void leave_descriptors(unsigned count)
{
    if (descriptor_limit.rlim_cur == 0) {
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &descriptor_limit), 0);
    }
    int limit = 0;
    for (unsigned left = count; left > 0 || is_open(limit); limit++) {
        left -= !is_open(limit);
    }
    struct rlimit lowered = {.rlim_cur = (rlim_t)limit, .rlim_max = descriptor_limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
}

static void leave_all_descriptors(void)
{
    if (descriptor_limit.rlim_cur != 0) {
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &descriptor_limit), 0);
    }
}

/* ---- a process of its own ---- */

/* The line at which a child found that something is not so; 0: none. Shared with it. */
static int *failed_line;

/* For children: their end is not a failed test's. */
#define EXPECT(condition)           \
    do {                            \
        if (!(condition)) {         \
            *failed_line = __LINE__; \
            _exit(1);               \
        }                           \
    } while (0)

enum { SKIPPED = 77 };

/* Runs it in a process of its own. Gives the exit status. */
static int run_in_child(void (*body)(void))
{
    failed_line = mmap(NULL, sizeof *failed_line, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(failed_line, MAP_FAILED);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* One that hangs ends by this. */
        signal(SIGALRM, SIG_DFL);
        alarm(60);
        body();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (*failed_line != 0) {
        print_error("the child ended at line %d\n", *failed_line);
    }
    munmap(failed_line, sizeof *failed_line);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ---- what happens to sockets ---- */

static void make_hard(palSocket_t socket)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(descriptor_of(socket), SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
}

static void exchange_datagrams(unsigned count)
{
    calls_t calls, sender_calls;
    calls_begin(&calls);
    calls_begin(&sender_calls);
    uint16_t port;
    palSocket_t receiver = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    palSocket_t sender = make_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &sender_calls);
    for (unsigned sent = 0; sent < count; sent++) {
        send_datagram(sender, PAL_AF_INET, port, &sent, sizeof sent);
        /* Some are told one by one, some together. */
        if (sent % 16 == 0) {
            await_calls(&calls, 1);
            unsigned content;
            size_t size;
            while (pal_recv(receiver, &content, sizeof content, &size) == PAL_SUCCESS) {
            }
        }
    }
    close_socket(&sender);
    close_socket(&receiver);
    calls_end(&calls);
    calls_end(&sender_calls);
}

/* A connection that the peer resets; then writes, for which the system has SIGPIPE. */
static void reset_connection(void)
{
    pair_t pair;
    connect_pair(&pair, PAL_AF_INET);
    make_hard(pair.server);
    close_socket(&pair.server);
    await_calls(&pair.client_calls, 2);
    size_t size;
    for (int round = 0; round < 3; round++) {
        assert_pal(pal_send(pair.client, "x", 1, &size), PAL_ERR_SOCKET_CONNECTION_RESET);
        assert_pal(pal_sendTo(pair.client, "x", 1, &(palSocketAddress_t){.addressType = PAL_AF_INET}, ADDRESS_SIZE, &size),
                   PAL_ERR_SOCKET_CONNECTION_RESET);
    }
    close_pair(&pair);
}

static void be_refused(void)
{
    calls_t calls;
    calls_begin(&calls);
    palSocket_t socket = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
    palSocketAddress_t address = loopback(PAL_AF_INET, free_port());
    assert_pal(pal_connect(socket, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    await_calls(&calls, 1);
    assert_pal(pal_connect(socket, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_CONNECTION_RESET);
    close_socket(&socket);
    calls_end(&calls);
}

static void have_traffic(void)
{
    exchange_datagrams(times(5000));
    for (unsigned round = 0; round < times(100); round++) {
        reset_connection();
        be_refused();
    }
}

/* ---- signals ---- */

enum { SIGNALS = 65 };

static atomic_uint handled[SIGNALS];

static void count_signal(int number)
{
    atomic_fetch_add(&handled[number], 1);
}

static unsigned count_handled(void)
{
    unsigned count = 0;
    for (int number = 0; number < SIGNALS; number++) {
        count += atomic_load(&handled[number]);
    }
    return count;
}

/* Not those that cannot be caught, that the C library has for itself, or by which cmocka knows of a crash. */
static bool is_the_application_s(int number)
{
    static const int others[] = {SIGKILL, SIGSTOP, 32, 33, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGABRT, SIGTRAP};
    for (size_t index = 0; index < sizeof others / sizeof others[0]; index++) {
        if (others[index] == number) {
            return false;
        }
    }
    return number > 0;
}

static struct sigaction dispositions_before[SIGNALS];
static bool dispositions_are_set;

static void set_dispositions(void (*handler)(int))
{
    dispositions_are_set = true;
    for (int number = 1; number < SIGNALS; number++) {
        if (is_the_application_s(number)) {
            /* Without SA_RESTART: whoever is interrupted notices. */
            struct sigaction action = {.sa_handler = handler};
            sigaddset(&action.sa_mask, SIGUSR2);
            assert_int_equal(sigaction(number, &action, &dispositions_before[number]), 0);
        }
    }
    for (int number = 0; number < SIGNALS; number++) {
        atomic_store(&handled[number], 0);
    }
}

static void expect_dispositions(void (*handler)(int))
{
    for (int number = 1; number < SIGNALS; number++) {
        struct sigaction action;
        if (is_the_application_s(number)) {
            assert_int_equal(sigaction(number, NULL, &action), 0);
            assert_true(action.sa_handler == handler);
            assert_int_equal(action.sa_flags & (SA_RESTART | SA_SIGINFO), 0);
            assert_int_equal(sigismember(&action.sa_mask, SIGUSR2), 1);
        }
    }
}

static void restore_dispositions(void)
{
    for (int number = 1; number < SIGNALS; number++) {
        if (dispositions_are_set && is_the_application_s(number)) {
            assert_int_equal(sigaction(number, &dispositions_before[number], NULL), 0);
        }
    }
    dispositions_are_set = false;
}

/* Threads that have nothing to do with sockets. */
static struct {
    bool are_there;
    int ends[2];
    atomic_bool stop;
    atomic_uint sleeps;
    atomic_uint interrupted;
    pthread_t sleeper;
    pthread_t reader;
} bystanders;

static void *sleep_on(void *argument)
{
    while (!atomic_load(&bystanders.stop)) {
        struct timespec time = {.tv_sec = 0, .tv_nsec = 5000000};
        if (nanosleep(&time, NULL) != 0) {
            atomic_fetch_add(&bystanders.interrupted, 1);
        }
        atomic_fetch_add(&bystanders.sleeps, 1);
    }
    return argument;
}

static void *read_on(void *argument)
{
    char byte;
    while (read(bystanders.ends[0], &byte, 1) < 0) {
        atomic_fetch_add(&bystanders.interrupted, 1);
    }
    return argument;
}

static void begin_bystanders(void)
{
    atomic_store(&bystanders.stop, false);
    assert_int_equal(pipe(bystanders.ends), 0);
    assert_int_equal(pthread_create(&bystanders.sleeper, NULL, sleep_on, NULL), 0);
    assert_int_equal(pthread_create(&bystanders.reader, NULL, read_on, NULL), 0);
    bystanders.are_there = true;
}

static void await_interrupted(pthread_t thread)
{
    unsigned before = atomic_load(&bystanders.interrupted);
    uint64_t until = milliseconds_now() + SOON_MS;
    while (atomic_load(&bystanders.interrupted) == before && milliseconds_now() < until) {
        assert_int_equal(pthread_kill(thread, SIGUSR1), 0);
        sleep_ms(1);
    }
    assert_true(atomic_load(&bystanders.interrupted) > before);
}

static void end_bystanders(void)
{
    if (bystanders.are_there) {
        bystanders.are_there = false;
        atomic_store(&bystanders.stop, true);
        close(bystanders.ends[1]);
        pthread_join(bystanders.sleeper, NULL);
        pthread_join(bystanders.reader, NULL);
        close(bystanders.ends[0]);
    }
}

/* After a failure too: the fixture counts, which takes a descriptor. */
static int process_teardown(void **state)
{
    leave_all_descriptors();
    end_bystanders();
    restore_dispositions();
    return pal_teardown(state);
}

static void other_threads_are_never_interrupted_and_no_handler_is_called(void **state)
{
    (void)state;
    not_under_valgrind();
    set_dispositions(count_signal);
    begin_bystanders();
    for (int round = 0; round < 2; round++) {
        have_traffic();
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
    }
    assert_int_equal(atomic_load(&bystanders.interrupted), 0);
    assert_true(atomic_load(&bystanders.sleeps) > 0);
    assert_int_equal(count_handled(), 0);
    expect_dispositions(count_signal);
    /* They would have noticed. */
    await_interrupted(bystanders.sleeper);
    await_interrupted(bystanders.reader);
    assert_true(atomic_load(&handled[SIGUSR1]) >= 2);
    end_bystanders();
    restore_dispositions();
}

static void what_is_set_for_signals_stays_and_sigpipe_is_not_raised(void **state)
{
    (void)state;
    not_under_valgrind();
    /* By default SIGPIPE and SIGIO end the process. */
    void (*const handlers[])(int) = {SIG_DFL, SIG_IGN, count_signal};
    for (size_t index = 0; index < 3; index++) {
        set_dispositions(handlers[index]);
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        exchange_datagrams(50);
        reset_connection();
        be_refused();
        expect_dispositions(handlers[index]);
        assert_int_equal(count_handled(), 0);
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        expect_dispositions(handlers[index]);
        assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        restore_dispositions();
    }
}

/* Those of a thread of this process, as the system has them. */
static uint64_t blocked_signals(const char *thread)
{
    char path[300], line[256];
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *status = fopen(path, "re");
    assert_non_null(status);
    unsigned long long blocked = 0;
    bool found = false;
    while (!found && fgets(line, sizeof line, status) != NULL) {
        found = sscanf(line, "SigBlk: %llx", &blocked) == 1;
    }
    fclose(status);
    assert_true(found);
    return blocked;
}

static void every_thread_of_the_library_blocks_all_signals(void **state)
{
    (void)state;
    not_under_valgrind();
    /* The caller's own stay what they are. */
    sigset_t mask, before, after;
    sigemptyset(&mask);
    sigaddset(&mask, SIGWINCH);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &mask, &before), 0);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
    await_threads(1);
    assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
    have_traffic();
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, &after), 0);
    assert_memory_equal(&after, &mask, sizeof(uint64_t));

    char own[16];
    (void)snprintf(own, sizeof own, "%d", (int)getpid());
    unsigned of_the_library = 0;
    DIR *threads = opendir("/proc/self/task");
    assert_non_null(threads);
    for (const struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, own) == 0) {
            continue;
        }
        of_the_library++;
        uint64_t blocked = blocked_signals(entry->d_name);
        for (int number = 1; number < SIGNALS; number++) {
            /* Not those that cannot be blocked, or that the C library has for itself. */
            if (number != SIGKILL && number != SIGSTOP && number != 32 && number != 33) {
                assert_true(blocked >> (number - 1) & 1);
            }
        }
    }
    closedir(threads);
    assert_true(of_the_library > 0);
}

static void a_signal_to_the_process_waits_for_a_thread_of_the_application(void **state)
{
    (void)state;
    not_under_valgrind();
    const int numbers[] = {SIGRTMIN, SIGALRM, SIGTERM, SIGUSR1};
    for (size_t index = 0; index < sizeof numbers / sizeof numbers[0]; index++) {
        sigset_t set, before;
        sigemptyset(&set);
        sigaddset(&set, numbers[index]);
        assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
        /* Its default, which is to end the process: none takes it. */
        assert_int_equal(kill(getpid(), numbers[index]), 0);
        exchange_datagrams(50);
        struct timespec none = {.tv_sec = 0, .tv_nsec = 0};
        assert_int_equal(sigtimedwait(&set, NULL, &none), numbers[index]);
        assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    }
}

/* ---- descriptors ---- */

static void every_descriptor_is_closed_on_exec_and_streams_do_not_wait(void **state)
{
    (void)state;
    assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
    bool before[MOST_DESCRIPTORS];
    for (int number = 0; number < MOST_DESCRIPTORS; number++) {
        before[number] = is_open(number);
    }
    assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
    pair_t ipv4, ipv6;
    connect_pair(&ipv4, PAL_AF_INET);
    connect_pair(&ipv6, PAL_AF_INET6);
    palSocket_t datagrams = make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &ipv4.client_calls);
    unsigned seen = 0, streams = 0;
    for (int number = 0; number < MOST_DESCRIPTORS; number++) {
        if (before[number] || !is_open(number)) {
            continue;
        }
        seen++;
        assert_true(fcntl(number, F_GETFD) & FD_CLOEXEC);
        int type = 0, value = 0;
        socklen_t size = sizeof type;
        if (getsockopt(number, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM) {
            streams++;
            size = sizeof value;
            assert_int_equal(getsockopt(number, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
            assert_int_not_equal(value, 0);
        }
    }
    assert_int_equal(streams, 6);
    /* And what the layer has for itself. */
    assert_true(seen > 7);
    close_socket(&datagrams);
    close_pair(&ipv4);
    close_pair(&ipv6);
}

static void ignore_status(palNetworkStatus_t status, void *argument)
{
    (void)status;
    (void)argument;
}

static void without_descriptors_init_fails_and_leaves_nothing(void **state)
{
    (void)state;
    not_under_valgrind();
    assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
    await_threads(1);
    const size_t descriptors = count_descriptors();
    unsigned needed = 0;
    for (;; needed++) {
        assert_true(needed < 20);
        leave_descriptors(needed);
        palStatus_t status = pal_plat_socketsInit(NULL);
        leave_all_descriptors();
        if (status == PAL_SUCCESS) {
            break;
        }
        assert_pal(status, PAL_ERR_SOCKET_ALLOCATION_FAILED);
        assert_int_equal(count_descriptors(), descriptors);
        assert_int_equal(count_threads(), 1);
        palSocket_t socket = CLOSED_SOCKET;
        assert_pal(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, count_call, &socket), PAL_ERR_NOT_INITIALIZED);
    }
    assert_int_equal(needed, count_descriptors() - descriptors);
    assert_true(needed > 0);
    exchange_datagrams(10);
}

static void expect_nothing_made(void)
{
    palSocket_t socket = CLOSED_SOCKET;
    const palSocketDomain_t domains[] = {PAL_AF_INET, PAL_AF_INET6};
    const palSocketType_t types[] = {PAL_SOCK_STREAM, PAL_SOCK_DGRAM, PAL_SOCK_STREAM_SERVER};
    for (size_t index = 0; index < 6; index++) {
        palSocketDomain_t domain = domains[index / 3];
        palSocketType_t type = types[index % 3];
        assert_pal(pal_asynchronousSocket(domain, type, true, 0, count_call, &socket), PAL_ERR_SOCKET_ALLOCATION_FAILED);
        assert_pal(pal_asynchronousSocketWithArgument(domain, type, true, 0, count_call, NULL, &socket), PAL_ERR_SOCKET_ALLOCATION_FAILED);
    }
    assert_ptr_equal(socket, CLOSED_SOCKET);
}

static void without_descriptors_sockets_say_so_and_a_connection_goes_on_waiting(void **state)
{
    (void)state;
    not_under_valgrind();
    calls_t listener_calls, client_calls, server_calls;
    calls_begin(&listener_calls);
    calls_begin(&client_calls);
    calls_begin(&server_calls);
    uint16_t port;
    palSocket_t listener = bind_socket(PAL_AF_INET, PAL_SOCK_STREAM_SERVER, &listener_calls, &port);
    palSocket_t client = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &client_calls);
    palSocketAddress_t address = loopback(PAL_AF_INET, port), from = {.addressType = 99}, before = from;
    palSocketLength_t length = ADDRESS_SIZE;
    palSocket_t accepted = CLOSED_SOCKET;
    size_t size;
    leave_descriptors(0);
    expect_nothing_made();
    /* Those that are there go on. */
    assert_pal(pal_listen(listener, 4), PAL_SUCCESS);
    assert_pal(pal_connect(client, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    await_calls(&client_calls, 1);
    await_calls(&listener_calls, 1);
    assert_pal(pal_send(client, "hello", 5, &size), PAL_SUCCESS);
    for (int round = 0; round < 10; round++) {
        assert_pal(pal_accept(listener, &from, &length, &accepted, count_call, &server_calls), PAL_ERR_SOCKET_ALLOCATION_FAILED);
        expect_nothing_made();
    }
    assert_ptr_equal(accepted, CLOSED_SOCKET);
    assert_int_equal(length, ADDRESS_SIZE);
    assert_memory_equal(&from, &before, sizeof from);
    assert_int_equal(calls_so_far(&server_calls), 0);
    /* One is enough for it. */
    leave_descriptors(1);
    assert_pal(pal_accept(listener, &from, &length, &accepted, count_call, &server_calls), PAL_SUCCESS);
    expect_nothing_made();
    await_calls(&server_calls, 1);
    char bytes[8];
    assert_pal(pal_recv(accepted, bytes, sizeof bytes, &size), PAL_SUCCESS);
    assert_int_equal(size, 5);
    assert_memory_equal(bytes, "hello", 5);
    leave_all_descriptors();
    assert_pal(pal_accept(listener, &from, &length, &client, count_call, &server_calls), PAL_ERR_SOCKET_WOULD_BLOCK);
    exchange_datagrams(10);
    reset_connection();
    close_socket(&accepted);
    close_socket(&client);
    close_socket(&listener);
    calls_end(&listener_calls);
    calls_end(&client_calls);
    calls_end(&server_calls);
}

static void without_descriptors_lookups_and_interfaces_say_so(void **state)
{
    (void)state;
    not_under_valgrind();
    const size_t descriptors = count_descriptors();
    palSocketAddress_t address, address_before;
    palNetInterfaceInfo_t info, info_before;
    memset(&address, 0xA5, sizeof address);
    memset(&info, 0xA5, sizeof info);
    address_before = address;
    info_before = info;
    palSocketLength_t length = 77;
    char name[] = "lo";
    uint32_t index;
    assert_pal(pal_registerNetworkInterface(name, &index), PAL_SUCCESS);
    mcc_pal_enable_connection_status(true);
    leave_descriptors(0);
    for (int round = 0; round < 10; round++) {
        assert_pal(pal_getAddressInfo("localhost", &address, &length), PAL_ERR_SOCKET_DNS_ERROR);
        assert_pal(pal_getAddressInfo("test.invalid", &address, &length), PAL_ERR_SOCKET_DNS_ERROR);
        assert_pal(pal_getNetInterfaceInfo(index, &info), PAL_ERR_SOCKET_ALLOCATION_FAILED);
        assert_pal(pal_getNetInterfaceInfo(PAL_NET_DEFAULT_INTERFACE, &info), PAL_ERR_SOCKET_ALLOCATION_FAILED);
        assert_pal(pal_setConnectionStatusCallback(index, ignore_status, NULL), PAL_ERR_SOCKET_ALLOCATION_FAILED);
    }
    assert_int_equal(length, 77);
    assert_memory_equal(&address, &address_before, sizeof address);
    assert_memory_equal(&info, &info_before, sizeof info);
    /* With one it is not enough to watch an interface and to look at it. */
    leave_descriptors(1);
    for (int round = 0; round < 10; round++) {
        assert_pal(pal_setConnectionStatusCallback(index, ignore_status, NULL), PAL_ERR_SOCKET_ALLOCATION_FAILED);
        assert_pal(pal_getNetInterfaceInfo(index, &info), PAL_SUCCESS);
    }
    assert_string_equal(info.interfaceName, "lo");
    leave_all_descriptors();
    assert_int_equal(count_descriptors(), descriptors);
    /* An address that is written as text needs none. */
    leave_descriptors(0);
    assert_pal(pal_getAddressInfo("::1", &address, &length), PAL_SUCCESS);
    assert_int_equal(length, 28);
    assert_pal(pal_getAddressInfo("127.0.0.1", &address, &length), PAL_SUCCESS);
    assert_int_equal(length, 16);
    leave_all_descriptors();
    assert_pal(pal_getAddressInfo("localhost", &address, &length), PAL_SUCCESS);
    assert_pal(pal_setConnectionStatusCallback(index, ignore_status, NULL), PAL_SUCCESS);
    assert_pal(pal_setConnectionStatusCallback(index, NULL, NULL), PAL_SUCCESS);
    mcc_pal_enable_connection_status(false);
    assert_pal(pal_unregisterNetworkInterface(index), PAL_SUCCESS);
    assert_int_equal(count_descriptors(), descriptors);
}

static bool becomes_readable(palSocket_t socket)
{
    struct pollfd polled = {.fd = descriptor_of(socket), .events = POLLIN};
    return poll(&polled, 1, SOON_MS) == 1;
}

static void ignore(void *argument)
{
    (void)argument;
}

static void close_standard_streams_and_make_sockets(void)
{
    for (int stream = 0; stream < 3; stream++) {
        close(stream);
    }
    EXPECT(pal_plat_socketsInit(NULL) == PAL_SUCCESS);
    for (int round = 0; round < 3; round++) {
        const palSocketDomain_t domains[] = {PAL_AF_INET, PAL_AF_INET6};
        palSocket_t listener = NULL, datagrams = NULL, client = NULL, server = NULL;
        palSocketDomain_t domain = domains[round % 2];
        EXPECT(pal_asynchronousSocket(domain, PAL_SOCK_DGRAM, true, 0, ignore, &datagrams) == PAL_SUCCESS);
        EXPECT(pal_asynchronousSocket(domain, PAL_SOCK_STREAM_SERVER, true, 0, ignore, &listener) == PAL_SUCCESS);
        EXPECT(pal_asynchronousSocketWithArgument(domain, PAL_SOCK_STREAM, true, 0, ignore, NULL, &client) == PAL_SUCCESS);
        palSocketAddress_t address = loopback(domain, 0);
        palSocketLength_t length = ADDRESS_SIZE;
        EXPECT(pal_bind(listener, &address, ADDRESS_SIZE) == PAL_SUCCESS);
        EXPECT(pal_listen(listener, 4) == PAL_SUCCESS);
        address = loopback(domain, port_of(listener));
        EXPECT(pal_connect(client, &address, ADDRESS_SIZE) == PAL_ERR_SOCKET_IN_PROGRES);
        EXPECT(becomes_readable(listener));
        EXPECT(pal_accept(listener, &address, &length, &server, ignore, NULL) == PAL_SUCCESS);
        const palSocket_t sockets[] = {listener, datagrams, client, server};
        for (size_t index = 0; index < 4; index++) {
            EXPECT(descriptor_of(sockets[index]) >= 3);
            EXPECT(fcntl(descriptor_of(sockets[index]), F_GETFD) == FD_CLOEXEC);
            EXPECT(fcntl(descriptor_of(sockets[index]), F_GETFL) & O_NONBLOCK);
        }
        /* What is printed reaches none of them, nor what the layer has for itself. */
        for (int stream = 0; stream < 3; stream++) {
            EXPECT(!is_open(stream));
        }
        size_t size;
        char bytes[4];
        EXPECT(pal_send(client, "x", 1, &size) == PAL_SUCCESS);
        EXPECT(becomes_readable(server));
        EXPECT(pal_recv(server, bytes, sizeof bytes, &size) == PAL_SUCCESS && size == 1);
        EXPECT(pal_close(&listener) == PAL_SUCCESS);
        EXPECT(pal_close(&datagrams) == PAL_SUCCESS);
        EXPECT(pal_close(&client) == PAL_SUCCESS);
        EXPECT(pal_close(&server) == PAL_SUCCESS);
    }
    EXPECT(pal_plat_socketsTerminate(NULL) == PAL_SUCCESS);
}

static void without_standard_streams_no_socket_gets_their_numbers(void **state)
{
    (void)state;
    assert_int_equal(run_in_child(close_standard_streams_and_make_sockets), 0);
}

/* The numbers of the standard streams are free, and no others: they are none for a socket. */
static void close_standard_streams_and_accept_without_descriptors(void)
{
    EXPECT(pal_plat_socketsInit(NULL) == PAL_SUCCESS);
    palSocket_t listener = NULL, client = NULL, server = NULL;
    EXPECT(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_STREAM_SERVER, true, 0, ignore, &listener) == PAL_SUCCESS);
    EXPECT(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_STREAM, true, 0, ignore, &client) == PAL_SUCCESS);
    palSocketAddress_t address = loopback(PAL_AF_INET, 0);
    palSocketLength_t length = ADDRESS_SIZE;
    EXPECT(pal_bind(listener, &address, ADDRESS_SIZE) == PAL_SUCCESS);
    EXPECT(pal_listen(listener, 4) == PAL_SUCCESS);
    address = loopback(PAL_AF_INET, port_of(listener));
    EXPECT(pal_connect(client, &address, ADDRESS_SIZE) == PAL_ERR_SOCKET_IN_PROGRES);
    EXPECT(becomes_readable(listener));
    leave_descriptors(0);
    for (int stream = 0; stream < 3; stream++) {
        close(stream);
    }
    for (int round = 0; round < 5; round++) {
        EXPECT(pal_accept(listener, &address, &length, &server, ignore, NULL) == PAL_ERR_SOCKET_ALLOCATION_FAILED);
        EXPECT(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, ignore, &server) == PAL_ERR_SOCKET_ALLOCATION_FAILED);
        EXPECT(!is_open(0) && !is_open(1) && !is_open(2));
    }
    /* Four: those three, and one for the socket. */
    leave_descriptors(4);
    EXPECT(pal_accept(listener, &address, &length, &server, ignore, NULL) == PAL_SUCCESS);
    EXPECT(descriptor_of(server) >= 3);
    EXPECT(!is_open(0) && !is_open(1) && !is_open(2));
    EXPECT(fcntl(descriptor_of(server), F_GETFD) == FD_CLOEXEC);
    EXPECT(pal_close(&server) == PAL_SUCCESS);
    EXPECT(pal_plat_socketsTerminate(NULL) == PAL_SUCCESS);
}

static void without_other_numbers_than_the_standard_streams_a_connection_goes_on_waiting(void **state)
{
    (void)state;
    not_under_valgrind();
    assert_int_equal(run_in_child(close_standard_streams_and_accept_without_descriptors), 0);
}

/* ---- beginning and end ---- */

static void a_thousand_inits_and_terminates_leave_nothing(void **state)
{
    (void)state;
    assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
    for (int warm_up = 0; warm_up < 20; warm_up++) {
        assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        exchange_datagrams(2);
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
    }
    await_threads(1);
    const size_t descriptors = count_descriptors();
    const size_t memory = heap_in_use();
    for (unsigned round = 0; round < times(1000); round++) {
        assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        if (round % 2 == 0) {
            exchange_datagrams(2);
        }
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
    }
    await_threads(1);
    assert_int_equal(count_descriptors(), descriptors);
    assert_in_range(heap_in_use(), 0, memory + 1024);
}

static void one_terminate_undoes_any_number_of_inits_and_none_is_needed(void **state)
{
    (void)state;
    int context = 7;
    for (int round = 0; round < 3; round++) {
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        assert_pal(pal_plat_socketsTerminate(&context), PAL_SUCCESS);
        await_threads(1);
        const size_t descriptors = count_descriptors();
        assert_pal(pal_plat_socketsInit(&context), PAL_SUCCESS);
        const size_t running = count_descriptors();
        for (int again = 0; again < 10; again++) {
            assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        }
        assert_int_equal(count_descriptors(), running);
        assert_int_equal(count_threads(), 2);
        exchange_datagrams(10);
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        await_threads(1);
        assert_int_equal(count_descriptors(), descriptors);
    }
}

static void before_init_what_calls_back_says_so_and_the_rest_works(void **state)
{
    (void)state;
    calls_t listener_calls, client_calls;
    calls_begin(&listener_calls);
    calls_begin(&client_calls);
    uint16_t port;
    palSocket_t listener = bind_socket(PAL_AF_INET, PAL_SOCK_STREAM, &listener_calls, &port);
    assert_pal(pal_listen(listener, 4), PAL_SUCCESS);
    palSocket_t client = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &client_calls);
    palSocketAddress_t address = loopback(PAL_AF_INET, port);
    assert_pal(pal_connect(client, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    await_calls(&client_calls, 1);
    await_calls(&listener_calls, 1);
    uint32_t index;
    char name[] = "lo";
    assert_pal(pal_registerNetworkInterface(name, &index), PAL_SUCCESS);
    mcc_pal_enable_connection_status(true);
    for (int round = 0; round < 2; round++) {
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        palSocket_t socket = CLOSED_SOCKET;
        palSocketLength_t length = ADDRESS_SIZE;
        assert_pal(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, ignore, &socket), PAL_ERR_NOT_INITIALIZED);
        assert_pal(pal_asynchronousSocketWithArgument(PAL_AF_INET6, PAL_SOCK_STREAM, true, 0, ignore, NULL, &socket),
                   PAL_ERR_NOT_INITIALIZED);
        assert_pal(pal_accept(listener, &address, &length, &socket, ignore, NULL), PAL_ERR_NOT_INITIALIZED);
        assert_ptr_equal(socket, CLOSED_SOCKET);
        assert_pal(pal_setConnectionStatusCallback(index, ignore_status, NULL), PAL_ERR_NOT_INITIALIZED);
        assert_pal(pal_setConnectionStatusCallback(index, NULL, NULL), PAL_SUCCESS);
        /* What has no callback needs no thread. */
        assert_pal(pal_getAddressInfo("localhost", &address, &length), PAL_SUCCESS);
        palNetInterfaceInfo_t info;
        assert_pal(pal_getNetInterfaceInfo(index, &info), PAL_SUCCESS);
        assert_pal(pal_setSockAddrPort(&address, 7), PAL_SUCCESS);
        assert_int_equal(pal_getRttEstimate(), 3);
    }
    mcc_pal_enable_connection_status(false);
    assert_pal(pal_unregisterNetworkInterface(index), PAL_SUCCESS);
    /* The connection goes on waiting. */
    assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
    palSocketLength_t length = ADDRESS_SIZE;
    palSocket_t server = CLOSED_SOCKET;
    assert_pal(pal_accept(listener, &address, &length, &server, ignore, NULL), PAL_SUCCESS);
    close_socket(&server);
    close_socket(&client);
    close_socket(&listener);
    calls_end(&listener_calls);
    calls_end(&client_calls);
}

static void sockets_left_open_work_on_without_callbacks(void **state)
{
    (void)state;
    pair_t pair;
    connect_pair(&pair, PAL_AF_INET);
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    palSocket_t datagrams = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    palSocket_t late = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
    palSocket_t late_listener = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
    const unsigned told[] = {calls_so_far(&pair.client_calls), calls_so_far(&pair.server_calls), calls_so_far(&pair.listener_calls)};
    const int flag = 1;
    for (int round = 0; round < 3; round++) {
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        if (round > 0) {
            assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        }
        size_t size;
        char bytes[8];
        assert_pal(pal_send(pair.client, "hello", 5, &size), PAL_SUCCESS);
        assert_true(becomes_readable(pair.server));
        assert_pal(pal_recv(pair.server, bytes, sizeof bytes, &size), PAL_SUCCESS);
        assert_int_equal(size, 5);
        assert_pal(pal_recv(pair.server, bytes, sizeof bytes, &size), PAL_ERR_SOCKET_WOULD_BLOCK);
        send_datagram(datagrams, PAL_AF_INET, port, "x", 1);
        assert_true(becomes_readable(datagrams));
        assert_pal(pal_receiveFrom(datagrams, bytes, sizeof bytes, NULL, NULL, &size), PAL_SUCCESS);
        assert_pal(pal_setSocketOptions(pair.client, PAL_SO_KEEPALIVE, &flag, sizeof flag), PAL_SUCCESS);
        bool non_blocking = false;
        assert_pal(pal_isNonBlocking(pair.listener, &non_blocking), PAL_SUCCESS);
        assert_true(non_blocking);
    }
    /* To connect, listen and fill one that has never been watched. */
    palSocketAddress_t address = loopback(PAL_AF_INET, port_of(pair.listener));
    assert_pal(pal_connect(late, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    assert_true(becomes_readable(pair.listener));
    assert_pal(pal_connect(late, &address, ADDRESS_SIZE), PAL_SUCCESS);
    address = loopback(PAL_AF_INET, 0);
    assert_pal(pal_bind(late_listener, &address, ADDRESS_SIZE), PAL_SUCCESS);
    assert_pal(pal_listen(late_listener, 1), PAL_SUCCESS);
    static const char block[65536];
    palStatus_t status = PAL_SUCCESS;
    for (int round = 0; round < 10000 && status == PAL_SUCCESS; round++) {
        size_t size;
        status = pal_send(late, block, sizeof block, &size);
    }
    assert_pal(status, PAL_ERR_SOCKET_WOULD_BLOCK);
    settle();
    assert_int_equal(calls_so_far(&calls), 0);
    assert_int_equal(calls_so_far(&pair.client_calls), told[0]);
    assert_int_equal(calls_so_far(&pair.server_calls), told[1]);
    assert_int_equal(calls_so_far(&pair.listener_calls), told[2]);
    close_socket(&datagrams);
    close_socket(&late);
    assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
    close_socket(&late_listener);
    close_pair(&pair);
    calls_end(&calls);
}

typedef struct {
    calls_t calls;
    palSocket_t socket;
    uint16_t port;
    size_t others;
    atomic_int faults;
} ender_t;

static void end_layer(calls_t *calls)
{
    ender_t *ender = calls->reaction_argument;
    palSocket_t socket = CLOSED_SOCKET;
    bool ended = pal_plat_socketsTerminate(NULL) == PAL_SUCCESS && pal_plat_socketsTerminate(NULL) == PAL_SUCCESS;
    bool refused = pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, ignore, &socket) == PAL_ERR_NOT_INITIALIZED;
    atomic_fetch_add(&ender->faults, ended && refused ? 0 : 1);
}

static void end_begin_and_end_layer(calls_t *calls)
{
    ender_t *ender = calls->reaction_argument;
    for (int round = 0; round < 3; round++) {
        palSocket_t socket = CLOSED_SOCKET;
        bool begun = pal_plat_socketsTerminate(NULL) == PAL_SUCCESS && pal_plat_socketsInit(NULL) == PAL_SUCCESS;
        bool made = pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, ignore, &socket) == PAL_SUCCESS;
        atomic_fetch_add(&ender->faults, begun && made && pal_close(&socket) == PAL_SUCCESS ? 0 : 1);
    }
    end_layer(calls);
}

static void close_and_end_layer(calls_t *calls)
{
    ender_t *ender = calls->reaction_argument;
    atomic_fetch_add(&ender->faults, pal_close(&ender->socket) == PAL_SUCCESS ? 0 : 1);
    end_layer(calls);
}

static void a_callback_ends_the_layer(void **state)
{
    (void)state;
    void (*const reactions[])(calls_t *) = {end_layer, end_begin_and_end_layer, close_and_end_layer};
    for (unsigned round = 0; round < times(90); round++) {
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        await_threads(1);
        const size_t descriptors = count_descriptors();
        assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        ender_t ender = {.faults = 0};
        calls_begin(&ender.calls);
        ender.calls.reaction = reactions[round % 3];
        ender.calls.reaction_argument = &ender;
        ender.socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &ender.calls, &ender.port);
        calls_t other_calls;
        calls_begin(&other_calls);
        uint16_t other_port;
        palSocket_t other = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &other_calls, &other_port);
        send_datagram(other, PAL_AF_INET, ender.port, "x", 1);
        await_calls(&ender.calls, 1);
        /* Its own thread ends after it. */
        await_threads(1);
        send_datagram(other, PAL_AF_INET, ender.port, "x", 1);
        send_datagram(other, PAL_AF_INET, other_port, "x", 1);
        assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        settle();
        assert_int_equal(calls_so_far(&ender.calls), 1);
        assert_int_equal(calls_so_far(&other_calls), 0);
        assert_int_equal(atomic_load(&ender.faults), 0);
        close_socket(&ender.socket);
        close_socket(&other);
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        await_descriptors(descriptors);
        calls_end(&ender.calls);
        calls_end(&other_calls);
    }
}

typedef struct {
    calls_t calls;
    sem_t entered;
    sem_t release;
    atomic_int inside;
    atomic_uint ended;
} blocker_t;

static void block(calls_t *calls)
{
    blocker_t *blocker = calls->reaction_argument;
    atomic_store(&blocker->inside, 1);
    sem_post(&blocker->entered);
    sem_wait(&blocker->release);
    atomic_store(&blocker->inside, 0);
}

static void await_entered(blocker_t *blocker)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SOON_MS / 1000;
    assert_int_equal(sem_timedwait(&blocker->entered, &until), 0);
}

static void *terminate(void *argument)
{
    blocker_t *blocker = argument;
    intptr_t fault = pal_plat_socketsTerminate(NULL) != PAL_SUCCESS || atomic_load(&blocker->inside) != 0;
    atomic_fetch_add(&blocker->ended, 1);
    return (void *)fault;
}

static void terminate_waits_for_the_callback_that_runs_in_each_thread_that_calls_it(void **state)
{
    (void)state;
    blocker_t blocker = {.inside = 0};
    calls_begin(&blocker.calls);
    blocker.calls.reaction = block;
    blocker.calls.reaction_argument = &blocker;
    assert_int_equal(sem_init(&blocker.entered, 0, 0), 0);
    assert_int_equal(sem_init(&blocker.release, 0, 0), 0);
    uint16_t port;
    palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &blocker.calls, &port);
    send_datagram(socket, PAL_AF_INET, port, "x", 1);
    await_entered(&blocker);
    pthread_t threads[3];
    for (int index = 0; index < 3; index++) {
        assert_int_equal(pthread_create(&threads[index], NULL, terminate, &blocker), 0);
    }
    /* They have time enough to do it wrong. */
    sleep_ms(50);
    assert_int_equal(atomic_load(&blocker.ended), 0);
    sem_post(&blocker.release);
    for (int index = 0; index < 3; index++) {
        void *fault = &blocker;
        assert_int_equal(pthread_join(threads[index], &fault), 0);
        assert_null(fault);
    }
    await_calls(&blocker.calls, 1);
    close_socket(&socket);
    sem_destroy(&blocker.entered);
    sem_destroy(&blocker.release);
    calls_end(&blocker.calls);
}

static void end_layer_and_block(calls_t *calls)
{
    (void)pal_plat_socketsTerminate(NULL);
    block(calls);
}

static void terminate_waits_for_a_callback_that_has_ended_the_layer_itself(void **state)
{
    (void)state;
    blocker_t blocker = {.inside = 0};
    calls_begin(&blocker.calls);
    blocker.calls.reaction = end_layer_and_block;
    blocker.calls.reaction_argument = &blocker;
    assert_int_equal(sem_init(&blocker.entered, 0, 0), 0);
    assert_int_equal(sem_init(&blocker.release, 0, 0), 0);
    for (unsigned again = 0; again < 2; again++) {
        assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        uint16_t port;
        palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &blocker.calls, &port);
        send_datagram(socket, PAL_AF_INET, port, "x", 1);
        await_entered(&blocker);
        atomic_store(&blocker.ended, 0);
        if (again) {
            assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        }
        pthread_t threads[2];
        for (int index = 0; index < 2; index++) {
            assert_int_equal(pthread_create(&threads[index], NULL, terminate, &blocker), 0);
        }
        /* They have time enough to do it wrong. */
        sleep_ms(50);
        unsigned ended = atomic_load(&blocker.ended);
        sem_post(&blocker.release);
        for (int index = 0; index < 2; index++) {
            void *fault = &blocker;
            assert_int_equal(pthread_join(threads[index], &fault), 0);
            assert_null(fault);
        }
        assert_int_equal(ended, 0);
        await_calls(&blocker.calls, again + 1);
        await_threads(1);
        close_socket(&socket);
    }
    sem_destroy(&blocker.entered);
    sem_destroy(&blocker.release);
    calls_end(&blocker.calls);
}

/* A socket that a child has too, or makes. */
static palSocket_t inherited;

/* ---- threads that are cancelled ---- */

static void close_cancelled(void)
{
    (void)pal_close(&inherited);
}

static void ask_for_interface_cancelled(void)
{
    palNetInterfaceInfo_t info;
    (void)pal_getNetInterfaceInfo(PAL_NET_DEFAULT_INTERFACE, &info);
}

#if PAL_DNS_API_VERSION == 0
static void look_up_cancelled(void)
{
    palSocketAddress_t address;
    palSocketLength_t length;
    (void)pal_getAddressInfo("localhost", &address, &length);
}
#endif

static void terminate_cancelled(void)
{
    (void)pal_plat_socketsTerminate(NULL);
}

static bool came_back;

static void *be_cancelled(void *argument)
{
    void (*const *body)(void) = argument;
    pthread_cancel(pthread_self());
    (*body)();
    came_back = true;
    pthread_testcancel();
    return NULL;
}

static void (*cancelled_body)(void);

static void cancel_in_child(void)
{
    EXPECT(pal_plat_socketsInit(NULL) == PAL_SUCCESS);
    EXPECT(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, ignore, &inherited) == PAL_SUCCESS);
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, be_cancelled, &cancelled_body) == 0);
    void *result = NULL;
    EXPECT(pthread_join(thread, &result) == 0);
    EXPECT(came_back && result == PTHREAD_CANCELED);
    EXPECT(pal_plat_socketsTerminate(NULL) == PAL_SUCCESS);
}

static void a_cancelled_thread_ends_after_the_call_and_the_process_goes_on(void **state)
{
    (void)state;
    void (*const bodies[])(void) = {
        close_cancelled,
        ask_for_interface_cancelled,
        terminate_cancelled,
#if PAL_DNS_API_VERSION == 0
        look_up_cancelled,
#endif
    };
    for (size_t index = 0; index < sizeof bodies / sizeof *bodies; index++) {
        cancelled_body = bodies[index];
        assert_int_equal(run_in_child(cancel_in_child), 0);
    }
}

/* ---- a child of this process ---- */

static void close_what_was_inherited(void)
{
    EXPECT(pal_close(&inherited) == PAL_SUCCESS);
    EXPECT(inherited == CLOSED_SOCKET);
}

static void end_what_was_inherited(void)
{
    EXPECT(pal_plat_socketsTerminate(NULL) == PAL_SUCCESS);
    EXPECT(pal_plat_socketsTerminate(NULL) == PAL_SUCCESS);
    close_what_was_inherited();
}

static atomic_uint calls_in_child;

static void count_in_child(void *argument)
{
    (void)argument;
    atomic_fetch_add(&calls_in_child, 1);
}

static void begin_a_layer_of_its_own(void)
{
    palSocket_t socket = CLOSED_SOCKET;
    EXPECT(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, count_in_child, &socket) == PAL_ERR_NOT_INITIALIZED);
    EXPECT(pal_plat_socketsInit(NULL) == PAL_SUCCESS);
    EXPECT(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, count_in_child, &socket) == PAL_SUCCESS);
    palSocketAddress_t address = loopback(PAL_AF_INET, 0);
    EXPECT(pal_bind(socket, &address, ADDRESS_SIZE) == PAL_SUCCESS);
    address = loopback(PAL_AF_INET, port_of(socket));
    size_t size = 0;
    EXPECT(pal_sendTo(socket, "x", 1, &address, ADDRESS_SIZE, &size) == PAL_SUCCESS);
    uint64_t until = milliseconds_now() + SOON_MS;
    while (atomic_load(&calls_in_child) == 0 && milliseconds_now() < until) {
        sleep_ms(1);
    }
    EXPECT(atomic_load(&calls_in_child) == 1);
    EXPECT(pal_close(&socket) == PAL_SUCCESS);
    EXPECT(pal_plat_socketsTerminate(NULL) == PAL_SUCCESS);
    close_what_was_inherited();
}

static void a_child_leaves_the_sockets_and_the_layer_of_its_parent_alone(void **state)
{
    (void)state;
    /* A child has lost what its parent's thread had, which valgrind calls a leak. */
    not_under_valgrind();
    not_under_the_thread_sanitizer();
    void (*const bodies[])(void) = {close_what_was_inherited, end_what_was_inherited, begin_a_layer_of_its_own};
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    inherited = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    for (unsigned index = 0; index < 3; index++) {
        settle();
        assert_int_equal(run_in_child(bodies[index]), 0);
        expect_calls(&calls, index);
        send_datagram(inherited, PAL_AF_INET, port, "x", 1);
        expect_calls(&calls, index + 1);
    }
    close_socket(&inherited);
    calls_end(&calls);
}

static void a_child_waits_for_no_callback_of_its_parent(void **state)
{
    (void)state;
    /* A child has lost what its parent's thread had, which valgrind calls a leak. */
    not_under_valgrind();
    not_under_the_thread_sanitizer();
    void (*const bodies[])(void) = {close_what_was_inherited, end_what_was_inherited, begin_a_layer_of_its_own};
    blocker_t blocker = {.inside = 0};
    calls_begin(&blocker.calls);
    blocker.calls.reaction = block;
    blocker.calls.reaction_argument = &blocker;
    assert_int_equal(sem_init(&blocker.entered, 0, 0), 0);
    assert_int_equal(sem_init(&blocker.release, 0, 0), 0);
    uint16_t port;
    inherited = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &blocker.calls, &port);
    send_datagram(inherited, PAL_AF_INET, port, "x", 1);
    await_entered(&blocker);
    for (unsigned index = 0; index < 3; index++) {
        assert_int_equal(run_in_child(bodies[index]), 0);
    }
    sem_post(&blocker.release);
    expect_calls(&blocker.calls, 1);
    close_socket(&inherited);
    sem_destroy(&blocker.entered);
    sem_destroy(&blocker.release);
    calls_end(&blocker.calls);
}

static atomic_uint init_faults;

static void *init_and_terminate(void *argument)
{
    unsigned seed = *(const unsigned *)argument;
    for (unsigned round = 0; round < times(400); round++) {
        palSocket_t socket = CLOSED_SOCKET;
        bool fine = (round + seed) % 3 == 0 ? pal_plat_socketsTerminate(NULL) == PAL_SUCCESS : pal_plat_socketsInit(NULL) == PAL_SUCCESS;
        palStatus_t made = pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, ignore, &socket);
        if (made == PAL_SUCCESS) {
            palSocketAddress_t address = loopback(PAL_AF_INET, 0);
            size_t size = 0;
            fine = fine && pal_bind(socket, &address, ADDRESS_SIZE) == PAL_SUCCESS;
            address = loopback(PAL_AF_INET, port_of(socket));
            fine = fine && pal_sendTo(socket, "x", 1, &address, ADDRESS_SIZE, &size) == PAL_SUCCESS;
            fine = fine && pal_close(&socket) == PAL_SUCCESS;
        } else {
            fine = fine && made == PAL_ERR_NOT_INITIALIZED;
        }
        atomic_fetch_add(&init_faults, fine ? 0 : 1);
    }
    return NULL;
}

static void several_threads_init_and_terminate_at_once(void **state)
{
    (void)state;
    assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
    await_threads(1);
    const size_t descriptors = count_descriptors();
    pthread_t threads[4];
    unsigned seeds[] = {0, 1, 2, 3};
    for (int index = 0; index < 4; index++) {
        assert_int_equal(pthread_create(&threads[index], NULL, init_and_terminate, &seeds[index]), 0);
    }
    for (int index = 0; index < 4; index++) {
        assert_int_equal(pthread_join(threads[index], NULL), 0);
    }
    assert_int_equal(atomic_load(&init_faults), 0);
    assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
    await_threads(1);
    assert_int_equal(count_descriptors(), descriptors);
    assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
    exchange_datagrams(10);
}

/* Sockets that other threads use while the layer ends. */
typedef struct {
    palSocket_t sockets[2];
    uint16_t ports[2];
    atomic_bool stop;
    atomic_bool ended;
    atomic_int inside;
    atomic_uint calls;
    atomic_uint faults;
} used_t;

static void be_used(void *argument)
{
    used_t *used = argument;
    atomic_store(&used->inside, 1);
    char bytes[8];
    size_t size;
    for (int index = 0; index < 2; index++) {
        (void)pal_recv(used->sockets[index], bytes, sizeof bytes, &size);
    }
    sched_yield();
    atomic_fetch_add(&used->calls, 1);
    atomic_store(&used->inside, 0);
    if (atomic_load(&used->ended)) {
        atomic_fetch_add(&used->faults, 1);
    }
}

static void *use_sockets(void *argument)
{
    used_t *used = argument;
    while (!atomic_load(&used->stop)) {
        for (int index = 0; index < 2; index++) {
            palSocketAddress_t address = loopback(PAL_AF_INET, used->ports[1 - index]);
            char bytes[8];
            size_t size;
            palStatus_t sent = pal_sendTo(used->sockets[index], "x", 1, &address, ADDRESS_SIZE, &size);
            palStatus_t received = pal_recv(used->sockets[index], bytes, sizeof bytes, &size);
            bool fine = sent == PAL_SUCCESS || sent == PAL_ERR_SOCKET_WOULD_BLOCK;
            fine = fine && (received == PAL_SUCCESS || received == PAL_ERR_SOCKET_WOULD_BLOCK);
            atomic_fetch_add(&used->faults, fine ? 0 : 1);
        }
        sched_yield();
    }
    return NULL;
}

static void the_layer_ends_while_callbacks_run_and_other_threads_use_sockets(void **state)
{
    (void)state;
    for (unsigned round = 0; round < times(100); round++) {
        assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        used_t used = {.stop = false};
        for (int index = 0; index < 2; index++) {
            palSocketAddress_t address = loopback(PAL_AF_INET, 0);
            assert_pal(pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, be_used, &used, &used.sockets[index]),
                       PAL_SUCCESS);
            assert_pal(pal_bind(used.sockets[index], &address, ADDRESS_SIZE), PAL_SUCCESS);
            used.ports[index] = port_of(used.sockets[index]);
        }
        pthread_t threads[2];
        for (int index = 0; index < 2; index++) {
            assert_int_equal(pthread_create(&threads[index], NULL, use_sockets, &used), 0);
        }
        uint64_t until = milliseconds_now() + SOON_MS;
        while (atomic_load(&used.calls) < 1 + round % 5 && milliseconds_now() < until) {
            sched_yield();
        }
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        int inside = atomic_load(&used.inside);
        atomic_store(&used.ended, true);
        unsigned calls = atomic_load(&used.calls);
        assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        settle();
        atomic_store(&used.stop, true);
        for (int index = 0; index < 2; index++) {
            assert_int_equal(pthread_join(threads[index], NULL), 0);
        }
        assert_int_equal(inside, 0);
        assert_true(calls > round % 5);
        assert_int_equal(atomic_load(&used.calls), calls);
        assert_int_equal(atomic_load(&used.faults), 0);
        close_socket(&used.sockets[0]);
        close_socket(&used.sockets[1]);
    }
}

/* ---- no thread ---- */

static void init_without_a_thread(void)
{
    /* The limit does not bind root. */
    const uid_t nobody = 65534;
    if (geteuid() == 0 && (setresgid(nobody, nobody, nobody) != 0 || setresuid(nobody, nobody, nobody) != 0)) {
        _exit(SKIPPED);
    }
    /* So that it can look at itself again. */
    EXPECT(prctl(PR_SET_DUMPABLE, 1) == 0);
    const size_t threads = count_threads();
    struct rlimit limit;
    EXPECT(getrlimit(RLIMIT_NPROC, &limit) == 0);
    const struct rlimit lowered = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    EXPECT(setrlimit(RLIMIT_NPROC, &lowered) == 0);
    /* What is kept for later use is there after the first. */
    EXPECT(pal_plat_socketsInit(NULL) == PAL_ERR_CREATION_FAILED);
    const size_t descriptors = count_descriptors();
    const size_t memory = heap_in_use();
    for (int round = 0; round < 100; round++) {
        palSocket_t socket = CLOSED_SOCKET;
        EXPECT(pal_plat_socketsInit(NULL) == PAL_ERR_CREATION_FAILED);
        EXPECT(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, ignore, &socket) == PAL_ERR_NOT_INITIALIZED);
        EXPECT(pal_plat_socketsTerminate(NULL) == PAL_SUCCESS);
    }
    EXPECT(count_descriptors() == descriptors);
    EXPECT(count_threads() == threads);
    EXPECT(heap_in_use() <= memory + 256);
    EXPECT(setrlimit(RLIMIT_NPROC, &limit) == 0);
    EXPECT(pal_plat_socketsInit(NULL) == PAL_SUCCESS);
    palSocket_t socket = CLOSED_SOCKET;
    EXPECT(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, ignore, &socket) == PAL_SUCCESS);
    EXPECT(pal_close(&socket) == PAL_SUCCESS);
    EXPECT(pal_plat_socketsTerminate(NULL) == PAL_SUCCESS);
    EXPECT(count_descriptors() == descriptors);
}

static void without_a_thread_init_fails_and_leaves_nothing(void **state)
{
    (void)state;
    not_under_valgrind();
    int status = run_in_child(init_without_a_thread);
    if (status == SKIPPED) {
        print_message("there is no other user than root here, whom a limit of threads does not bind\n");
        skip();
    }
    assert_int_equal(status, 0);
}

/* ---- errno ---- */

enum { ERRNO = 4711 };

#define keeps_errno(call, expected)        \
    do {                                   \
        errno = ERRNO;                     \
        palStatus_t status_ = (call);      \
        int errno_ = errno;                \
        assert_pal(status_, (expected));   \
        assert_int_equal(errno_, ERRNO);   \
    } while (0)

static void connect_and_look_at_errno(void)
{
    calls_t calls, server_calls;
    calls_begin(&calls);
    calls_begin(&server_calls);
    palSocket_t listener = NULL, client = NULL, server = NULL;
    palSocketAddress_t address = loopback(PAL_AF_INET, 0);
    palSocketLength_t length = ADDRESS_SIZE;
    const int flag = 1;
    bool non_blocking;
    char bytes[8] = "";
    size_t size;
    keeps_errno(pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_STREAM, true, 0, count_call, &calls, &listener), PAL_SUCCESS);
    keeps_errno(pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_STREAM, true, 0, count_call, &server_calls, &client), PAL_SUCCESS);
    keeps_errno(pal_setSocketOptions(listener, PAL_SO_REUSEADDR, &flag, sizeof flag), PAL_SUCCESS);
    keeps_errno(pal_setSocketOptions(listener, PAL_SO_REUSEADDR, &flag, 1), PAL_ERR_SOCKET_INVALID_VALUE);
    keeps_errno(pal_setSocketOptionsWithLevel(listener, PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_TRAFFIC_CLASS, &flag, 4), PAL_ERR_NOT_SUPPORTED);
    keeps_errno(pal_bind(listener, &address, ADDRESS_SIZE), PAL_SUCCESS);
    keeps_errno(pal_bind(listener, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_INVALID_VALUE);
    keeps_errno(pal_accept(listener, &address, &length, &server, count_call, &server_calls), PAL_ERR_SOCKET_INVALID_VALUE);
    keeps_errno(pal_listen(listener, 4), PAL_SUCCESS);
    keeps_errno(pal_accept(listener, &address, &length, &server, count_call, &server_calls), PAL_ERR_SOCKET_WOULD_BLOCK);
    keeps_errno(pal_isNonBlocking(client, &non_blocking), PAL_SUCCESS);
    keeps_errno(pal_send(client, bytes, 1, &size), PAL_ERR_SOCKET_CONNECTION_RESET);
    keeps_errno(pal_recv(client, bytes, 1, &size), PAL_ERR_SOCKET_NOT_CONNECTED);
    address = loopback(PAL_AF_INET, port_of(listener));
    keeps_errno(pal_connect(client, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    assert_true(becomes_readable(listener));
    keeps_errno(pal_accept(listener, &address, &length, &server, count_call, &server_calls), PAL_SUCCESS);
    address = loopback(PAL_AF_INET, port_of(listener));
    keeps_errno(pal_connect(client, &address, ADDRESS_SIZE), PAL_SUCCESS);
    keeps_errno(pal_connect(client, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_ALREADY_CONNECTED);
    keeps_errno(pal_recv(server, bytes, sizeof bytes, &size), PAL_ERR_SOCKET_WOULD_BLOCK);
    keeps_errno(pal_sendTo(client, "x", 1, &address, ADDRESS_SIZE, &size), PAL_SUCCESS);
    assert_true(becomes_readable(server));
    keeps_errno(pal_receiveFrom(server, bytes, sizeof bytes, &address, &length, &size), PAL_SUCCESS);
    static const char large[65536];
    for (palStatus_t status = PAL_SUCCESS; status != PAL_ERR_SOCKET_WOULD_BLOCK;) {
        keeps_errno(status = pal_send(client, large, sizeof large, &size), status);
        assert_true(status == PAL_SUCCESS || status == PAL_ERR_SOCKET_WOULD_BLOCK);
    }
    make_hard(server);
    keeps_errno(pal_close(&server), PAL_SUCCESS);
    keeps_errno(pal_close(&server), PAL_SUCCESS);
    keeps_errno(pal_send(client, "x", 1, &size), PAL_ERR_SOCKET_CONNECTION_RESET);
    keeps_errno(pal_send(client, "x", 1, &size), PAL_ERR_SOCKET_CONNECTION_RESET);
    keeps_errno(pal_recv(client, bytes, sizeof bytes, &size), PAL_ERR_SOCKET_CONNECTION_CLOSED);
    palSocket_t copy = client;
    keeps_errno(pal_close(&client), PAL_SUCCESS);
    keeps_errno(pal_close(&copy), PAL_ERR_SOCKET_INVALID_VALUE);
    keeps_errno(pal_close(&listener), PAL_SUCCESS);
    calls_end(&calls);
    calls_end(&server_calls);
}

static void errno_is_the_application_s(void **state)
{
    (void)state;
    connect_and_look_at_errno();
    palSocketAddress_t address = loopback(PAL_AF_INET, 1);
    palSocketLength_t length;
    uint8_t octets[16] = {0};
    uint16_t port;
    keeps_errno(pal_setSockAddrIPV4Addr(&address, octets), PAL_SUCCESS);
    keeps_errno(pal_getSockAddrIPV4Addr(&address, octets), PAL_SUCCESS);
    keeps_errno(pal_getSockAddrIPV6Addr(&address, octets), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
    keeps_errno(pal_setSockAddrIPV6Addr(&address, octets), PAL_SUCCESS);
    keeps_errno(pal_getSockAddrIPV6Addr(&address, octets), PAL_SUCCESS);
    keeps_errno(pal_setSockAddrNAT64Addr(&address, octets), PAL_SUCCESS);
    keeps_errno(pal_setSockAddrPort(&address, 7), PAL_SUCCESS);
    keeps_errno(pal_getSockAddrPort(&address, &port), PAL_SUCCESS);
    keeps_errno(pal_getSockAddrPort(NULL, &port), PAL_ERR_INVALID_ARGUMENT);
    keeps_errno(pal_getAddressInfo("localhost", &address, &length), PAL_SUCCESS);
    keeps_errno(pal_getAddressInfo("::1", &address, &length), PAL_SUCCESS);
    keeps_errno(pal_getAddressInfo("test.invalid", &address, &length), PAL_ERR_SOCKET_DNS_ERROR);
    errno = ERRNO;
    pal_setFixedStaggerEstimate(0);
    assert_int_equal(pal_getStaggerEstimate(1), 0);
    assert_int_equal(pal_getRttEstimate(), 3);
    assert_int_equal(errno, ERRNO);

    uint32_t index, number;
    palNetInterfaceInfo_t info;
    char loopback_name[] = "lo", unknown_name[] = "test0";
    keeps_errno(pal_registerNetworkInterface(unknown_name, &index), PAL_SUCCESS);
    keeps_errno(pal_getNetInterfaceInfo(index, &info), PAL_ERR_ITEM_NOT_EXIST);
    keeps_errno(pal_unregisterNetworkInterface(index), PAL_SUCCESS);
    keeps_errno(pal_unregisterNetworkInterface(index), PAL_ERR_INVALID_ARGUMENT);
    keeps_errno(pal_registerNetworkInterface(loopback_name, &index), PAL_SUCCESS);
    keeps_errno(pal_getNumberOfNetInterfaces(&number), PAL_SUCCESS);
    keeps_errno(pal_getNetInterfaceInfo(index, &info), PAL_SUCCESS);
    keeps_errno(pal_setConnectionStatusCallback(index, ignore_status, NULL), PAL_ERR_NOT_SUPPORTED);
    errno = ERRNO;
    mcc_pal_enable_connection_status(true);
    assert_int_equal(errno, ERRNO);
    keeps_errno(pal_setConnectionStatusCallback(index, ignore_status, NULL), PAL_SUCCESS);
    keeps_errno(pal_setConnectionStatusCallback(index, NULL, NULL), PAL_SUCCESS);
    mcc_pal_enable_connection_status(false);
    keeps_errno(pal_unregisterNetworkInterface(index), PAL_SUCCESS);

    palSocket_t socket = CLOSED_SOCKET;
    leave_descriptors(0);
    keeps_errno(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_STREAM, true, 0, ignore, &socket), PAL_ERR_SOCKET_ALLOCATION_FAILED);
    keeps_errno(pal_getNetInterfaceInfo(PAL_NET_DEFAULT_INTERFACE, &info), PAL_ERR_SOCKET_ALLOCATION_FAILED);
    keeps_errno(pal_getAddressInfo("localhost", &address, &length), PAL_ERR_SOCKET_DNS_ERROR);
    keeps_errno(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
    leave_descriptors(1);
    keeps_errno(pal_plat_socketsInit(NULL), PAL_ERR_SOCKET_ALLOCATION_FAILED);
    leave_all_descriptors();
    keeps_errno(pal_plat_socketsInit(NULL), PAL_SUCCESS);
    keeps_errno(pal_plat_socketsInit(NULL), PAL_SUCCESS);
}

static atomic_int errno_in_callback;

static void look_at_errno(calls_t *calls)
{
    palSocket_t own = *(palSocket_t *)calls->reaction_argument, other = CLOSED_SOCKET, none = (palSocket_t)(intptr_t)INT32_MAX;
    palSocketAddress_t address = loopback(PAL_AF_INET, 0);
    palSocketLength_t length;
    palNetInterfaceInfo_t info;
    char bytes[8];
    size_t size;
    errno = ERRNO;
    bool fine = pal_recv(own, bytes, sizeof bytes, &size) == PAL_SUCCESS;
    fine = fine && pal_recv(own, bytes, sizeof bytes, &size) == PAL_ERR_SOCKET_WOULD_BLOCK;
    fine = fine && pal_recv(none, bytes, sizeof bytes, &size) == PAL_ERR_SOCKET_INVALID_VALUE;
    fine = fine && pal_bind(own, &address, ADDRESS_SIZE) == PAL_ERR_SOCKET_INVALID_VALUE;
    fine = fine && pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_STREAM, true, 0, ignore, &other) == PAL_ERR_SOCKET_ALLOCATION_FAILED;
    fine = fine && pal_getNetInterfaceInfo(PAL_NET_DEFAULT_INTERFACE, &info) == PAL_ERR_SOCKET_ALLOCATION_FAILED;
    fine = fine && pal_getAddressInfo("localhost", &address, &length) == PAL_ERR_SOCKET_DNS_ERROR;
    fine = fine && pal_plat_socketsTerminate(NULL) == PAL_SUCCESS;
    fine = fine && pal_close(calls->reaction_argument) == PAL_SUCCESS;
    atomic_store(&errno_in_callback, fine ? errno : -1);
}

static void errno_stays_in_callbacks_too(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    calls.reaction = look_at_errno;
    calls.reaction_argument = &socket;
    /* What fails in the C library sets its errno. */
    leave_descriptors(0);
    send_datagram(socket, PAL_AF_INET, port, "x", 1);
    await_calls(&calls, 1);
    assert_int_equal(atomic_load(&errno_in_callback), ERRNO);
    leave_all_descriptors();
    await_threads(1);
    close_socket(&socket);
    calls_end(&calls);
}

/* ---- sockets that were closed by their numbers ---- */

static void a_socket_that_was_closed_by_its_number_is_told_by_every_function(void **state)
{
    (void)state;
    pair_t pair;
    connect_pair(&pair, PAL_AF_INET);
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    palSocket_t sockets[] = {
        pair.client,
        pair.server,
        pair.listener,
        make_socket(PAL_AF_INET6, PAL_SOCK_STREAM, &calls),
        make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &calls),
        bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port),
    };
    enum { COUNT = sizeof sockets / sizeof sockets[0] };
    for (size_t index = 0; index < COUNT; index++) {
        assert_int_equal(close(descriptor_of(sockets[index])), 0);
    }
    for (size_t index = 0; index < COUNT; index++) {
        expect_no_socket(sockets[index]);
    }
    for (size_t index = 0; index < COUNT; index++) {
        palSocket_t copy = sockets[index];
        assert_pal(pal_close(&sockets[index]), PAL_ERR_SOCKET_INVALID_VALUE);
        assert_pal(pal_close(&copy), PAL_ERR_SOCKET_INVALID_VALUE);
        expect_no_socket(copy);
    }
    settle();
    assert_int_equal(calls_so_far(&calls), 0);
    calls_end(&calls);
    calls_end(&pair.client_calls);
    calls_end(&pair.server_calls);
    calls_end(&pair.listener_calls);
}

static void closing_such_a_socket_leaves_what_has_its_number_now(void **state)
{
    (void)state;
    const palSocketType_t types[] = {PAL_SOCK_DGRAM, PAL_SOCK_STREAM};
    for (int round = 0; round < 6; round++) {
        calls_t calls;
        calls_begin(&calls);
        palSocket_t stale = make_socket(PAL_AF_INET, types[round % 2], &calls);
        int number = descriptor_of(stale);
        assert_int_equal(close(number), 0);
        /* A file, a socket of the same kind, or a pipe. */
        int ends[2] = {-1, -1}, own = -1;
        if (round < 2) {
            own = open("/proc/self/exe", O_RDONLY);
        } else if (round < 4) {
            own = socket(AF_INET, round % 2 == 0 ? SOCK_DGRAM : SOCK_STREAM, 0);
        } else {
            assert_int_equal(pipe(ends), 0);
            own = ends[0];
        }
        if (own != number) {
            assert_int_equal(dup2(own, number), number);
            close(own);
        }
        struct stat before, after;
        assert_int_equal(fstat(number, &before), 0);
        int flags = fcntl(number, F_GETFL);
        palSocket_t copy = stale;
        assert_pal(pal_close(&stale), PAL_ERR_SOCKET_INVALID_VALUE);
        assert_true(is_open(number));
        assert_pal(pal_close(&copy), PAL_ERR_SOCKET_INVALID_VALUE);
        expect_no_socket(copy);
        assert_int_equal(fstat(number, &after), 0);
        assert_true(before.st_dev == after.st_dev && before.st_ino == after.st_ino);
        assert_int_equal(fcntl(number, F_GETFL), flags);
        close(number);
        if (ends[1] >= 0) {
            close(ends[1]);
        }
        settle();
        assert_int_equal(calls_so_far(&calls), 0);
        calls_end(&calls);
    }
}

static void a_number_that_comes_back_is_a_new_socket_with_its_own_callbacks(void **state)
{
    (void)state;
    for (unsigned round = 0; round < times(200); round++) {
        calls_t stale_calls, calls;
        calls_begin(&stale_calls);
        calls_begin(&calls);
        uint16_t stale_port, port;
        palSocket_t stale = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &stale_calls, &stale_port);
        int number = descriptor_of(stale);
        if (round % 2 == 0) {
            /* An event of it is under way. */
            send_datagram(stale, PAL_AF_INET, stale_port, "x", 1);
        }
        assert_int_equal(close(number), 0);
        palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
        assert_int_equal(descriptor_of(socket), number);
        unsigned told = calls_so_far(&stale_calls);
        send_datagram(socket, PAL_AF_INET, port, "y", 1);
        expect_calls(&calls, 1);
        char bytes[8];
        size_t size;
        assert_pal(pal_recv(socket, bytes, sizeof bytes, &size), PAL_SUCCESS);
        assert_int_equal(bytes[0], 'y');
        assert_int_equal(calls_so_far(&stale_calls), told);
        close_socket(&socket);
        assert_false(is_open(number));
        calls_end(&stale_calls);
        calls_end(&calls);
    }
}

static void an_event_of_a_socket_that_is_gone_is_not_told_to_the_next_of_its_number(void **state)
{
    (void)state;
    for (int round = 0; round < 16; round++) {
        blocker_t blocker = {.inside = 0};
        calls_begin(&blocker.calls);
        blocker.calls.reaction = block;
        blocker.calls.reaction_argument = &blocker;
        assert_int_equal(sem_init(&blocker.entered, 0, 0), 0);
        assert_int_equal(sem_init(&blocker.release, 0, 0), 0);
        calls_t gone_calls, calls;
        calls_begin(&gone_calls);
        calls_begin(&calls);
        uint16_t blocker_port, gone_port, port;
        palSocket_t blocking = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &blocker.calls, &blocker_port);
        if (round % 4 > 1) {
            /* Whatever tells sockets apart is to differ from one to the next, and to the one after that. */
            palSocket_t between = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
            close_socket(&between);
        }
        palSocket_t gone = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &gone_calls, &gone_port);
        const int number = descriptor_of(gone);
        /* While the first callback runs both have an event, so that the thread takes those together. */
        send_datagram(gone, PAL_AF_INET, blocker_port, "x", 1);
        await_entered(&blocker);
        send_datagram(gone, PAL_AF_INET, blocker_port, "x", 1);
        send_datagram(gone, PAL_AF_INET, gone_port, "x", 1);
        sem_post(&blocker.release);
        /* While the second runs the other's event waits; it is the next socket of its number that comes meanwhile. */
        await_entered(&blocker);
        if (round % 2 == 0) {
            close_socket(&gone);
        } else {
            assert_int_equal(close(number), 0);
        }
        palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
        assert_int_equal(descriptor_of(socket), number);
        sem_post(&blocker.release);
        expect_calls(&blocker.calls, 2);
        assert_int_equal(calls_so_far(&calls), 0);
        assert_int_equal(calls_so_far(&gone_calls), 0);
        send_datagram(socket, PAL_AF_INET, port, "x", 1);
        expect_calls(&calls, 1);
        close_socket(&socket);
        close_socket(&blocking);
        sem_destroy(&blocker.entered);
        sem_destroy(&blocker.release);
        calls_end(&blocker.calls);
        calls_end(&gone_calls);
        calls_end(&calls);
    }
}

/* ---- the main ---- */

static int terminated_setup(void **state)
{
    return pal_setup(state) != 0 || pal_plat_socketsTerminate(NULL) != PAL_SUCCESS;
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pal_setup, process_teardown)
/* For those that fork: threads do not go with a child. */
#define CHILD_TEST(name) cmocka_unit_test_setup_teardown(name, terminated_setup, process_teardown)
    const struct CMUnitTest tests[] = {
        TEST(other_threads_are_never_interrupted_and_no_handler_is_called),
        TEST(what_is_set_for_signals_stays_and_sigpipe_is_not_raised),
        TEST(every_thread_of_the_library_blocks_all_signals),
        TEST(a_signal_to_the_process_waits_for_a_thread_of_the_application),
        TEST(every_descriptor_is_closed_on_exec_and_streams_do_not_wait),
        TEST(without_descriptors_init_fails_and_leaves_nothing),
        TEST(without_descriptors_sockets_say_so_and_a_connection_goes_on_waiting),
        TEST(without_descriptors_lookups_and_interfaces_say_so),
        CHILD_TEST(without_standard_streams_no_socket_gets_their_numbers),
        CHILD_TEST(without_other_numbers_than_the_standard_streams_a_connection_goes_on_waiting),
        TEST(a_thousand_inits_and_terminates_leave_nothing),
        TEST(one_terminate_undoes_any_number_of_inits_and_none_is_needed),
        TEST(before_init_what_calls_back_says_so_and_the_rest_works),
        TEST(sockets_left_open_work_on_without_callbacks),
        TEST(a_callback_ends_the_layer),
        TEST(terminate_waits_for_the_callback_that_runs_in_each_thread_that_calls_it),
        TEST(terminate_waits_for_a_callback_that_has_ended_the_layer_itself),
        CHILD_TEST(a_cancelled_thread_ends_after_the_call_and_the_process_goes_on),
        TEST(a_child_leaves_the_sockets_and_the_layer_of_its_parent_alone),
        TEST(a_child_waits_for_no_callback_of_its_parent),
        TEST(several_threads_init_and_terminate_at_once),
        TEST(the_layer_ends_while_callbacks_run_and_other_threads_use_sockets),
        CHILD_TEST(without_a_thread_init_fails_and_leaves_nothing),
        TEST(errno_is_the_application_s),
        TEST(errno_stays_in_callbacks_too),
        TEST(a_socket_that_was_closed_by_its_number_is_told_by_every_function),
        TEST(closing_such_a_socket_leaves_what_has_its_number_now),
        TEST(a_number_that_comes_back_is_a_new_socket_with_its_own_callbacks),
        TEST(an_event_of_a_socket_that_is_gone_is_not_told_to_the_next_of_its_number),
    };
#undef TEST
#undef CHILD_TEST
    return run_chosen_tests(tests, count, arguments);
}
