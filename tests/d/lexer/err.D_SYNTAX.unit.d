/*
 * Only probe names carry units: 10ms is no number.
 * @needs: root
 */
BEGIN { trace(10ms); }
