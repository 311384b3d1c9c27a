/* A device that keeps a connection up. The URI comes with the program's arguments, and after it, for coaps, a CA. */
#include <mbed_cloud_connectivity.h>
#include <string.h>

static void on_event(void *argument, const mcc_event_t *event) {
    static const uint8_t get[] = {0x40, 0x01, 0x00, 0x01};
    (void)argument;
    if (event->type == MCC_EVENT_STATE && event->data.state.state == MCC_STATE_READY) {
        mcc_connection_send(event->connection, get, sizeof get, NULL);
        mcc_connection_ping(event->connection);
    }
}

int main(int count, char **arguments) {
    mcc_context_t *context = NULL;
    mcc_connection_t *connection = NULL;
    mcc_connection_stats_t stats = MCC_CONNECTION_STATS_INIT;
    mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
    mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;

    if (count < 2) {
        return 1;
    }
    options.uri = arguments[1];
    options.callback = on_event;
    if (count > 2) {
        tls.ca = (const uint8_t *)arguments[2];
        tls.ca_size = strlen(arguments[2]);
        options.tls = &tls;
    }
    if (mcc_context_new(NULL, &context) != MCC_OK || mcc_connection_open(context, &options, &connection) != MCC_OK) {
        return 1;
    }
    mcc_connection_set_keepalive(connection, 60);
    mcc_connection_stats(connection, &stats);
    mcc_connection_close(connection);
    mcc_context_free(context);
    return 0;
}
