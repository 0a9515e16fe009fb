/** Classification of single images inside a service. */
package org.hast4j.session;
