package org.hast4j.device;

import org.hast4j.failure.Mendable;

/**
 * The device has too little free memory; the message says for what, how much, and what holds the
 * rest.
 */
public final class DeviceMemoryException extends RuntimeException implements Mendable {
  private static final long serialVersionUID = 1L;

  public DeviceMemoryException(String message, Throwable cause) {
    super(message, cause);
  }
}
