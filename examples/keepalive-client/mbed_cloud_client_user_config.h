/* The configuration of this application, as an Mbed Cloud Client application has it. The build of the library reads it.
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MBED_CLOUD_CLIENT_USER_CONFIG_H
#define MBED_CLOUD_CLIENT_USER_CONFIG_H

#define MBED_CLOUD_CLIENT_TRANSPORT_MODE_TCP

/* Seconds without traffic after which a CoAP PING goes out. Short, so that the demo is: a device has the default of 540 or more. */
#define MBED_CLIENT_TCP_KEEPALIVE_INTERVAL 5

/* The longest wait in seconds before the next attempt to connect. */
#define MBED_CLIENT_MAX_RECONNECT_TIMEOUT 60

#endif
