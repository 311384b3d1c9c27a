/* The configuration of this application, as an Mbed Cloud Client application has it. The build of the library reads it.
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MBED_CLOUD_CLIENT_USER_CONFIG_H
#define MBED_CLOUD_CLIENT_USER_CONFIG_H

#define MBED_CLOUD_CLIENT_TRANSPORT_MODE_TCP

/* Seconds without traffic after which a CoAP PING goes out. */
#define MBED_CLIENT_TCP_KEEPALIVE_INTERVAL 600

#endif
