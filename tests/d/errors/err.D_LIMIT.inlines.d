/*
 * Inlines that double each other: too large an expression is refused, in time.
 * @args: -x errtags -e
 * @exit: 1
 */
inline int a = pid + pid;
inline int bb = a + a + a;
inline int cc = bb + bb + bb;
inline int dd = cc + cc + cc;
inline int ee = dd + dd + dd;
inline int ff = ee + ee + ee;
inline int gg = ff + ff + ff;
inline int hh = gg + gg + gg;
inline int ii = hh + hh + hh;
inline int jj = ii + ii + ii;
inline int kk = jj + jj + jj;
inline int ll = kk + kk + kk;
inline int mm = ll + ll + ll;
inline int nn = mm + mm + mm;
inline int oo = nn + nn + nn;
inline int pp = oo + oo + oo;
inline int qq = pp + pp + pp;
BEGIN { trace(qq); }
