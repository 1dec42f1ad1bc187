//! The grammar that statements are read with: GenericDialect's, and a bound on work. sqlparser goes back and tries again
//! where a keyword could be a name, twice or more at each level of nesting; a short text could keep it busy for ever.

use std::any::TypeId;
use std::cell::Cell;

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, GenericDialect};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::TokenWithSpan;

use crate::parse::MAX_NESTING;

/// Expressions that may be begun per token, over what short statements need.
const TRIES_PER_TOKEN: usize = 20;
const TRIES: usize = 20_000;

/// The grammar, with the work that is left.
#[derive(Debug)]
pub(crate) struct Grammar {
    left: Cell<usize>,
}

impl Grammar {
    /// For a statement of that many tokens.
    pub fn new(tokens: usize) -> Grammar {
        Grammar { left: Cell::new(tokens * TRIES_PER_TOKEN + TRIES) }
    }

    /// Whether the work was too much.
    pub fn exhausted(&self) -> bool {
        self.left.get() == 0
    }

    /// A parser of tokens without spaces.
    pub fn parser(&self, tokens: Vec<TokenWithSpan>) -> Parser<'_> {
        Parser::new(self).with_recursion_limit(4 * MAX_NESTING).with_tokens_with_locations(tokens)
    }
}

/// What queries of the databases we know may have; what of it is not supported is refused by name.
macro_rules! allowed {
    ($($method:ident)*) => { $( fn $method(&self) -> bool { true } )* };
}

impl Dialect for Grammar {
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        GenericDialect.is_delimited_identifier_start(c)
    }

    fn is_identifier_start(&self, c: char) -> bool {
        GenericDialect.is_identifier_start(c)
    }

    fn is_identifier_part(&self, c: char) -> bool {
        GenericDialect.is_identifier_part(c)
    }

    fn parse_prefix(&self, _: &mut Parser) -> Option<Result<Expr, ParserError>> {
        self.left.set(self.left.get().saturating_sub(1));
        self.exhausted().then_some(Err(ParserError::RecursionLimitExceeded))
    }

    allowed! {
        supports_unicode_string_literal supports_string_escape_constant supports_quote_delimited_string
        supports_nested_comments supports_group_by_expr supports_group_by_with_modifier
        supports_left_associative_joins_without_parens supports_parens_around_table_factor
        supports_values_as_table_factor supports_match_recognize supports_pipe_operator supports_connect_by
        supports_window_function_null_treatment_arg supports_window_clause_named_window_reference
        supports_partition_by_after_order_by supports_filter_during_aggregation supports_from_first_select
        supports_select_wildcard_except supports_select_wildcard_exclude supports_select_wildcard_replace
        supports_select_wildcard_ilike supports_select_wildcard_rename supports_projection_trailing_commas
        supports_limit_comma supports_limit_by supports_with_fill supports_interpolate supports_settings
        supports_select_format supports_prewhere supports_array_join_syntax supports_dictionary_syntax
        support_map_literal_syntax supports_struct_literal supports_array_typedef_with_brackets
        supports_named_fn_args_with_assignment_operator supports_bitwise_shift_operators supports_try_convert
        supports_interval_options supports_comma_separated_trim supports_extract_comma_syntax allow_extract_custom
        allow_extract_single_quotes supports_data_type_signed_suffix supports_cte_without_as
        supports_select_item_multi_column_alias supports_match_against supports_xml_expressions
    }
}
