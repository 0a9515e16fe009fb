package org.hast4j.device;

/**
 * The device has too little free memory; the message says for what, how much, and what holds the
 * rest.
 */
public final class DeviceMemoryException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  DeviceMemoryException(String message, Throwable cause) {
    super(message, cause);
  }
}
