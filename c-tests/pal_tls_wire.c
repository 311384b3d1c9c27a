/* SPDX-License-Identifier: Apache-2.0 */

#define _GNU_SOURCE
#include "pal_tls_wire.h"

#include <arpa/inet.h>
#include <sys/ioctl.h>
#include <unistd.h>

wire_t open_wire(void)
{
    wire_t wire = {.descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_true(wire.descriptor >= 0);
    assert_int_equal(bind(wire.descriptor, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(wire.descriptor, (struct sockaddr *)&address, &size), 0);
    wire.port = ntohs(address.sin_port);
    return wire;
}

void close_wire(wire_t *wire)
{
    assert_int_equal(close(wire->descriptor), 0);
}

size_t wire_waiting(const wire_t *wire)
{
    int size = 0;
    assert_int_equal(ioctl(wire->descriptor, FIONREAD, &size), 0);
    return (size_t)size;
}

head_t take_record_head(wire_t *wire, size_t data_size)
{
    /* The explicit nonce and the tag; with a Connection ID also the content's type, padded to 16 bytes. */
    const size_t nonce_and_tag = 8 + 8;
    uint8_t bytes[2048];
    ssize_t received = recv(wire->descriptor, bytes, sizeof bytes, MSG_DONTWAIT);
    assert_true(received > CID_OFFSET + 2);
    assert_int_equal(wire_waiting(wire), 0);
    size_t size = (size_t)received;
    head_t head = {.type = bytes[0]};
    for (size_t at = 3; at < CID_OFFSET; at++) {
        head.number = head.number << 8 | bytes[at];
    }
    size_t content = nonce_and_tag + data_size;
    if (head.type == RECORD_WITH_CID) {
        content = nonce_and_tag + (data_size + 1 + 15) / 16 * 16;
    }
    assert_true(size >= CID_OFFSET + 2 + content);
    head.cid_size = size - CID_OFFSET - 2 - content;
    assert_true(head.cid_size <= sizeof head.cid);
    memcpy(head.cid, bytes + CID_OFFSET, head.cid_size);
    size_t length = (size_t)bytes[CID_OFFSET + head.cid_size] << 8 | bytes[CID_OFFSET + head.cid_size + 1];
    assert_int_equal(length, content);
    return head;
}

void redirect(secure_t *secure, uint16_t port)
{
    secure->address = loopback(PAL_AF_INET, port);
    assert_pal(pal_tlsSetSocket(secure->configuration, &secure->tls_socket), PAL_SUCCESS);
}

head_t write_to_wire(secure_t *secure, wire_t *wire)
{
    redirect(secure, wire->port);
    secure_write(secure, "0123456789", 10);
    return take_record_head(wire, 10);
}

static unsigned digit(char character)
{
    const char *digits = "0123456789abcdef";
    const char *found = character == '\0' ? NULL : strchr(digits, character);
    assert_non_null(found);
    return (unsigned)(found - digits);
}

size_t bytes_of_event(const char *line, const char *name, uint8_t *bytes, size_t room)
{
    assert_memory_equal(line, name, strlen(name));
    const char *text = line + strlen(name);
    size_t size = strcspn(text, " ") / 2;
    assert_true(size <= room);
    for (size_t index = 0; index < size; index++) {
        bytes[index] = (uint8_t)(digit(text[2 * index]) << 4 | digit(text[2 * index + 1]));
    }
    return size;
}

void open_storing(secure_t *secure, fixture_t *fixture, palTLSTransportMode_t mode, uint16_t port)
{
    secure_open(secure, fixture, mode, port);
    pal_enableSslSessionStoring(secure->configuration, true);
}

void expect_full(secure_t *secure, peer_t *peer)
{
    assert_pal(shake_hands(secure, false), PAL_SUCCESS);
    assert_non_null(strstr(peer_await(peer, "connected "), " full "));
}

void expect_at_once(secure_t *secure)
{
    assert_pal(pal_handShake(secure->session, secure->configuration, false), PAL_SUCCESS);
}
