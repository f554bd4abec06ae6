/*
 * There is no $nosuch.
 * @needs: root
 */
BEGIN { trace($nosuch); }
