/* The shortest program of the library: it opens one connection over TLS and waits to be ended. What is measured is how long it takes from
 * its start until something of it is in the network.
 *
 *   bench-start URI CA_FILE
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <mbed_cloud_connectivity.h>
#include <stdio.h>
#include <unistd.h>

static void on_event(void *argument, const mcc_event_t *event)
{
    (void)argument;
    (void)event;
}

int main(int count, char **arguments)
{
    static char ca[65536];
    FILE *file = count == 3 ? fopen(arguments[2], "r") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: bench-start URI CA_FILE\n");
        return 2;
    }
    mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
    tls.ca = (const uint8_t *)ca;
    tls.ca_size = fread(ca, 1, sizeof ca - 1, file);
    fclose(file);
    mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
    options.uri = arguments[1];
    options.transport = MCC_TRANSPORT_TCP;
    options.tls = &tls;
    options.callback = on_event;
    mcc_context_t *context = NULL;
    mcc_connection_t *connection = NULL;
    mcc_status_t status = mcc_context_new(NULL, &context);
    if (status == MCC_OK) {
        status = mcc_connection_open(context, &options, &connection);
    }
    if (status != MCC_OK) {
        fprintf(stderr, "bench-start: %s\n", mcc_status_text(status));
        return 1;
    }
    pause();
    return 0;
}
