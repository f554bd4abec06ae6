//! The names of D's diagnostics: one row per tag, DTrace's own names where DTrace has the error.
//!
//! A tag is the stable part of a message: tests, scripts and `-xerrtags` go by it, the wording may grow. A new error is one new
//! row here and one [`Diag::new`](crate::diag::Diag::new) where it is found.

macro_rules! tags {
    ($($variant:ident $name:literal $meaning:literal;)*) => {
        /// What kind of mistake it was.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Tag {
            $(#[doc = $meaning] $variant,)*
        }

        impl Tag {
            /// Every tag, in the order of the table.
            pub const ALL: &[Tag] = &[$(Tag::$variant),*];

            /// The name that `-xerrtags` prints, `D_SYNTAX` for example.
            pub fn name(self) -> &'static str {
                match self {
                    $(Tag::$variant => $name,)*
                }
            }

            /// One line on what the tag stands for.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Tag::$variant => $meaning,)*
                }
            }
        }
    };
}

tags! {
    Unknown "D_UNKNOWN" "the compiler contradicted itself; a bug of ours";
    Syntax "D_SYNTAX" "the text does not follow the grammar";
    Empty "D_EMPTY" "the program has no clause and no declaration";
    Unbuilt "D_UNBUILT" "correct D that this version does not run yet (a tag of lkd's own)";
    Nest "D_NEST" "brackets, operators or types are nested too deeply (a tag of lkd's own)";
    Limit "D_LIMIT" "the program exceeds a size that the kernel's BPF machine allows (a tag of lkd's own)";

    TypeErr "D_TYPE_ERR" "a type is unknown or incomplete where its definition is needed";
    TypeMember "D_TYPE_MEMBER" "the struct or union has no such member";
    CgExpr "D_CG_EXPR" "an action stands where a value is wanted";
    CgDyn "D_CG_DYN" "an expression's value is of a kind that cannot be recorded";
    IdOflow "D_ID_OFLOW" "too many variables";
    PdescZero "D_PDESC_ZERO" "a probe description matches no probe";
    PdescInval "D_PDESC_INVAL" "a probe description is malformed";
    PredScalar "D_PRED_SCALAR" "a predicate must be a number or a pointer";

    FuncIdent "D_FUNC_IDENT" "what is called is not a name";
    FuncUndef "D_FUNC_UNDEF" "there is no such function or action";
    FuncIdkind "D_FUNC_IDKIND" "the name that is called is not a function";
    ProtoLen "D_PROTO_LEN" "a function got too many or too few arguments";
    ProtoArg "D_PROTO_ARG" "a function's argument has the wrong type";

    OffsetofType "D_OFFSETOF_TYPE" "offsetof wants a struct or union";
    OffsetofBitfield "D_OFFSETOF_BITFIELD" "offsetof of a bit-field";
    SizeofType "D_SIZEOF_TYPE" "the operand of sizeof has no size";
    SizeofBitfield "D_SIZEOF_BITFIELD" "sizeof of a bit-field";
    StringofType "D_STRINGOF_TYPE" "stringof cannot make a string of this type";

    OpIdent "D_OP_IDENT" "the operator wants a name";
    OpInt "D_OP_INT" "the operator wants an integer";
    OpScalar "D_OP_SCALAR" "the operator wants a number or a pointer";
    OpArith "D_OP_ARITH" "the operator wants a number";
    OpWrite "D_OP_WRITE" "the operand may not be written";
    OpLval "D_OP_LVAL" "the operand has no place to write to";
    OpIncompat "D_OP_INCOMPAT" "the operands' types do not go together";
    OpVfptr "D_OP_VFPTR" "arithmetic on a pointer to void or to a function";
    OpArrfun "D_OP_ARRFUN" "an array or function cannot be an operand here";
    OpPtr "D_OP_PTR" "the operator wants a pointer";
    OpSou "D_OP_SOU" "the operator wants a struct or union";
    OpIncomplete "D_OP_INCOMPLETE" "the operand's type is declared, not defined";
    OpDyn "D_OP_DYN" "the operand has no fixed type";
    OpAct "D_OP_ACT" "an action cannot be an operand";

    AggRedef "D_AGG_REDEF" "one aggregation, two aggregating functions";
    AggFunc "D_AGG_FUNC" "an aggregation is assigned something else than an aggregating function";
    AggMdim "D_AGG_MDIM" "an aggregation is indexed more than once";
    AggNull "D_AGG_NULL" "a statement names an aggregation and does nothing with it";
    AggScalar "D_AGG_SCALAR" "an aggregating function wants a number";

    ArrBadref "D_ARR_BADREF" "something that is no associative array is indexed by a tuple";
    ArrLocal "D_ARR_LOCAL" "an associative array cannot be clause-local";
    KeyType "D_KEY_TYPE" "a value of this type cannot be a key";
    DivZero "D_DIV_ZERO" "division by a constant zero";
    DerefNonptr "D_DEREF_NONPTR" "what is dereferenced is no pointer";
    DerefVoid "D_DEREF_VOID" "a pointer to void is dereferenced";
    DerefFunc "D_DEREF_FUNC" "a function pointer is dereferenced";
    AddrofLval "D_ADDROF_LVAL" "& of something without an address";
    AddrofVar "D_ADDROF_VAR" "& of a D variable";
    AddrofBitfield "D_ADDROF_BITFIELD" "& of a bit-field";
    CastInval "D_CAST_INVAL" "a cast between types that have no conversion";

    XlateRedecl "D_XLATE_REDECL" "a translator between these types exists already";
    XlateNone "D_XLATE_NONE" "there is no translator between these types";
    XlateSou "D_XLATE_SOU" "a translator's output must be a struct or union";
    XlateIncompat "D_XLATE_INCOMPAT" "a translator's member got a value of another type";
    XlateMemb "D_XLATE_MEMB" "a translator sets a member that its output lacks";

    Pragerr "D_PRAGERR" "the text of a #error directive";
    PragctlInval "D_PRAGCTL_INVAL" "an unknown control directive";
    PragmaInval "D_PRAGMA_INVAL" "an unknown or wrong #pragma D";
    PragmaUnused "D_PRAGMA_UNUSED" "a #pragma without effect";
    PragmaMalform "D_PRAGMA_MALFORM" "a #pragma's words do not have the right form";
    PragmaOptset "D_PRAGMA_OPTSET" "a #pragma D option that cannot be set so";
    PragmaScope "D_PRAGMA_SCOPE" "a #pragma about a name of another scope";
    PragmaDepend "D_PRAGMA_DEPEND" "a #pragma D depends_on that is not met";

    MacroUndef "D_MACRO_UNDEF" "a macro argument or variable that has no value";
    MacroOflow "D_MACRO_OFLOW" "a macro argument's integer does not fit into 64 bits";
    MacroUnused "D_MACRO_UNUSED" "an argument was given that the program never names";
    IntOflow "D_INT_OFLOW" "an integer constant does not fit into 64 bits";
    IntDigit "D_INT_DIGIT" "an integer constant has a digit that its base lacks";
    StrNl "D_STR_NL" "a string is not closed on its line";
    ChrNl "D_CHR_NL" "a character constant is not closed on its line";
    ChrNull "D_CHR_NULL" "a character constant without a character";
    ChrOflow "D_CHR_OFLOW" "a character constant of more than eight bytes";

    IdentBadref "D_IDENT_BADREF" "a name is used as something that it is not";
    IdentUndef "D_IDENT_UNDEF" "a name is not known";
    IdentAmbig "D_IDENT_AMBIG" "a name is both a variable and an enumerator";
    SymBadref "D_SYM_BADREF" "a kernel symbol is used as something that it is not";
    SymNotypes "D_SYM_NOTYPES" "the kernel gives no type for this symbol";
    VarUndef "D_VAR_UNDEF" "a variable is read that nothing sets";
    VarUnsup "D_VAR_UNSUP" "a built-in variable that is not available here";
    ArgsMulti "D_ARGS_MULTI" "args[] differ between the probes of one description";
    ArgsXlator "D_ARGS_XLATOR" "no translator for args[]";
    ArgsNone "D_ARGS_NONE" "the probe has no typed args[]";
    ArgsType "D_ARGS_TYPE" "args[] must be indexed by a constant integer";
    ArgsIdx "D_ARGS_IDX" "the probe has no such argument";
    RegsIdx "D_REGS_IDX" "there is no such register";

    PrintfDynProto "D_PRINTF_DYN_PROTO" "a * in the format has no argument";
    PrintfDynType "D_PRINTF_DYN_TYPE" "a * in the format wants an integer argument";
    PrintfAggConv "D_PRINTF_AGG_CONV" "%@ outside printa";
    PrintfArgProto "D_PRINTF_ARG_PROTO" "a conversion has no argument";
    PrintfArgType "D_PRINTF_ARG_TYPE" "a conversion's argument has the wrong type";
    PrintfArgExtra "D_PRINTF_ARG_EXTRA" "more arguments than conversions";
    PrintfArgFmt "D_PRINTF_ARG_FMT" "the format is not a string constant";
    PrintfFmtEmpty "D_PRINTF_FMT_EMPTY" "the format is empty";

    DeclCharattr "D_DECL_CHARATTR" "short or long char";
    DeclVoidattr "D_DECL_VOIDATTR" "void with short, long, signed or unsigned";
    DeclSignint "D_DECL_SIGNINT" "signed or unsigned with a type that is no integer";
    DeclLongint "D_DECL_LONGINT" "long or long long with a type that has no long form";
    DeclIdent "D_DECL_IDENT" "a declaration without a known type";
    DeclClass "D_DECL_CLASS" "two storage classes";
    DeclBadclass "D_DECL_BADCLASS" "a storage class that D does not have here";
    DeclParmclass "D_DECL_PARMCLASS" "a parameter or key with a storage class";
    DeclCombo "D_DECL_COMBO" "type words that do not go together";
    DeclArrsub "D_DECL_ARRSUB" "an array's size is not a constant integer";
    DeclArrnull "D_DECL_ARRNULL" "an array without a size";
    DeclArrbig "D_DECL_ARRBIG" "an array too big";
    DeclIdred "D_DECL_IDRED" "a name declared again, differently";
    DeclTypered "D_DECL_TYPERED" "a type defined again";
    DeclMname "D_DECL_MNAME" "a member without a name";
    DeclScope "D_DECL_SCOPE" "a back-quote in a declared name";
    DeclBfconst "D_DECL_BFCONST" "a bit-field's width is not a constant";
    DeclBfsize "D_DECL_BFSIZE" "a bit-field wider than its type";
    DeclBftype "D_DECL_BFTYPE" "a bit-field of a type that is no integer";
    DeclEnconst "D_DECL_ENCONST" "an enumerator's value is not a constant";
    DeclEnoflow "D_DECL_ENOFLOW" "an enumerator's value does not fit into an int";
    DeclUseless "D_DECL_USELESS" "a declaration that declares nothing";
    DeclLocassc "D_DECL_LOCASSC" "a clause-local associative array";
    DeclVoidobj "D_DECL_VOIDOBJ" "a variable of type void";
    DeclDynobj "D_DECL_DYNOBJ" "an associative array where only fixed types may stand";
    DeclIncomplete "D_DECL_INCOMPLETE" "a variable of a type that is not defined";
    DeclProtoVarargs "D_DECL_PROTO_VARARGS" "... in a prototype that cannot have it";
    DeclProtoType "D_DECL_PROTO_TYPE" "a type that a parameter cannot have";
    DeclProtoVoid "D_DECL_PROTO_VOID" "void beside other parameters";
    DeclProtoName "D_DECL_PROTO_NAME" "a void parameter with a name";
    DeclProtoForm "D_DECL_PROTO_FORM" "a parameter without a name where one is needed";

    ActSpec "D_ACT_SPEC" "a destructive action after speculate()";
    ExitSpec "D_EXIT_SPEC" "exit() after speculate()";
    TraceVoid "D_TRACE_VOID" "trace() of a void value";
    TraceDyn "D_TRACE_DYN" "trace() of a value without a fixed type";
    TraceAgg "D_TRACE_AGG" "trace() of an aggregation";
    StackProto "D_STACK_PROTO" "stack() got the wrong number of arguments";
    StackSize "D_STACK_SIZE" "stack()'s frame count is not a constant positive integer";
    LkdFlags "D_LKD_FLAGS" "lkd() got flags that do not exist or do not go together (a tag of lkd's own)";
    ProvBadname "D_PROV_BADNAME" "a provider's name is not valid";
    ProvPrdup "D_PROV_PRDUP" "a probe declared twice in one provider";
}
