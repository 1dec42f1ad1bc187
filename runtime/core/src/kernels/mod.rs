//! Kernels: the wide work that compiled code calls instead of spelling it out.
//!
//! All follow one convention.
//! - A **frame** of width w is column-major in scratch: element (row i, column j) at `x[j * stride + i]`, where the
//!   stride is the program's `block_rows`. `rows` is at most the stride; what lies behind `rows` is not written, and read (up to the next multiple of 64) only to be thrown away.
//! - **Validity** is one byte per element in the same arrangement, 1 where the element is there. Kernels that take
//!   `valid` accept a null pointer for "all there". Kernels that do not take it work on the values alone; their
//!   caller combines validity. What a value is where its validity is 0 is not defined, but always readable.
//! - **Tables** (`table`) are blobs written by the `pack_*` function beside the kernel and belong to the program's constants.
//! - Input and output frames do not overlap, except that element-wise math may work in place.
//! - `work` is scratch of the kernel's own, as many bytes as `pack_*` said for the block, 64-byte aligned.
//! - A kernel that can fail gives a [`crate::FlockStatus`]; the entry returns it at once when it is not 0.

pub mod category;
pub mod columns;
pub mod documents;
pub mod linear;
pub mod math;
pub mod nearest;
pub mod processor;
pub mod rows;
pub mod tables;
pub mod text;
pub mod trees;

/// Data that no table can be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackError(pub String);

impl std::fmt::Display for PackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PackError {}

/// How an argument travels. Pointers, `usize`, `i64` and `u64` are one integer register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// Pointer or 64-bit integer.
    Word,
    /// 32-bit integer.
    I32,
    /// binary32.
    F32,
    /// binary64.
    F64,
}

/// What a table of rows by columns that a section reads at `base + offset` is.
/// # Safety
/// `base + offset` must be the start of a section of that type within a blob.
#[inline]
pub(crate) unsafe fn section<T>(base: *const u8, offset: u64) -> *const T {
    // SAFETY: the caller's promise.
    unsafe { base.add(offset as usize).cast() }
}

/// A Rust type of the C ABI.
pub(crate) trait AbiType {
    const ABI: Abi;
}
impl<T> AbiType for *const T {
    const ABI: Abi = Abi::Word;
}
impl<T> AbiType for *mut T {
    const ABI: Abi = Abi::Word;
}
impl AbiType for usize {
    const ABI: Abi = Abi::Word;
}
impl AbiType for i64 {
    const ABI: Abi = Abi::Word;
}
impl AbiType for i32 {
    const ABI: Abi = Abi::I32;
}
impl AbiType for u64 {
    const ABI: Abi = Abi::Word;
}
impl AbiType for f32 {
    const ABI: Abi = Abi::F32;
}
impl AbiType for f64 {
    const ABI: Abi = Abi::F64;
}

/// A kernel as a code generator needs it: the symbol, its signature in the platform's C calling convention, its address.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// The symbol.
    pub name: &'static str,
    /// Arguments in order.
    pub params: &'static [Abi],
    /// What it gives, if anything.
    pub result: Option<Abi>,
    /// For a JIT; an object file names the symbol instead.
    pub address: *const u8,
}

// SAFETY: the address is that of a function.
unsafe impl Sync for Kernel {}
// SAFETY: as above.
unsafe impl Send for Kernel {}

/// Defines exported kernels and the table of them in one go.
macro_rules! export {
    (@result) => { None };
    (@result $t:ty) => { Some(<$t as $crate::kernels::AbiType>::ABI) };
    ($( $(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block )*) => {
        $(
            $(#[$doc])*
            /// # Safety
            /// Pointers are as the conventions of [`crate::kernels`] say.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller keeps the conventions.
                unsafe { $body }
            }
        )*
        /// The kernels of this family.
        pub static TABLE: &[$crate::kernels::Kernel] = &[$(
            $crate::kernels::Kernel {
                name: stringify!($name),
                params: &[$(<$ty as $crate::kernels::AbiType>::ABI),*],
                result: export!(@result $($ret)?),
                address: $name as *const u8,
            }
        ),*];
    };
}
pub(crate) use export;

/// Every kernel.
pub fn kernels() -> impl Iterator<Item = &'static Kernel> {
    [
        columns::TABLE,
        math::TABLE,
        rows::TABLE,
        linear::TABLE,
        nearest::TABLE,
        tables::TABLE,
        category::TABLE,
        trees::TABLE,
        text::TABLE,
        documents::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// The kernel of that symbol.
pub fn kernel(name: &str) -> Option<&'static Kernel> {
    kernels().find(|k| k.name == name)
}
